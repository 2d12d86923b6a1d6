// The browser client of fiberjwt: the npm package fiberjwt-client, and what Config.ServeClient serves.

/** What happened to the session of a kind. */
export type AuthEvent =
  /**
   * A user signed in, here or in another tab. Or the page came back from the back/forward cache, and a user is signed in or the
   * server did not answer. Load the account.
   */
  | 'session'
  /** The session has ended, here or in another tab. Remove its content from the page. */
  | 'ended';

/** The server refused a request, or did not answer. `message` is a sentence for the user. */
export class AuthError extends Error {
  /**
   * The HTTP status, or 0 if there was no response, or one that is not from the server, such as the error page of a proxy. A
   * sign-in or sign-out may have succeeded even so: ask {@link Auth.me}.
   */
  readonly status: number;
  /** The member `error` of the response, such as `invalid_credentials`. */
  readonly code: string;
  /** For 422: what is wrong with each member of the body, such as "is too short". */
  readonly fields: Record<string, string>;
  /** For 429 and 503: the seconds to wait. Otherwise 0, also if `Retry-After` is a date. */
  readonly retryAfter: number;
  /** Only the client creates these errors. */
  private constructor();
}

/** The response to a sign-in. The tokens are in cookies. */
export interface SignedIn {
  readonly token_type: 'Bearer';
  /** The lifetime of the access token, in seconds. */
  readonly expires_in: number;
}

/** The response to a registration. It has no token if the account has to wait, for example for a confirmation. */
export interface Registered<Account> extends Partial<SignedIn> {
  readonly entity: Account;
}

export interface SessionInfo {
  readonly id: string;
  readonly created: string;
  readonly last_refresh: string;
  /** When the session ends if it is not refreshed before. */
  readonly expires: string;
  readonly address: string;
  readonly user_agent: string;
  /** True for the session of this browser. */
  readonly current: boolean;
}

/**
 * A client for one kind of account. Its functions work without it: `const { fetch } = createAuth('users')`.
 * All functions except `fetch` reject with an {@link AuthError}.
 */
export interface Auth<Account = Record<string, unknown>> {
  /**
   * Works like the global fetch. If `base` is on another origin, requests to it carry cookies too, unless `credentials` is
   * `omit`. If the response is 401 `invalid_token`, the client refreshes, once for all requests that wait in all tabs, and
   * sends the request again. It never sends a stream, or the body of a `Request`, twice: it refreshes before such a request
   * if the token is about to expire.
   *
   * A 401 that the caller gets is final, with two exceptions. If the body could be sent only once, send the request again. If
   * the event `session` came meanwhile, because of a sign-in or step-up in any tab, send it again too: the client does not
   * repeat a request of one session in the next. A 401 of the application's own does not say `invalid_token`, and is passed
   * on. From another origin, the server must expose the header `WWW-Authenticate`.
   *
   * If the refresh gets no response or 503, the promise rejects with an {@link AuthError}. The session is not affected.
   * Requests to other origins are passed to the global fetch unchanged.
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  /** Gives the account that is signed in when the promise resolves, or null. */
  me(): Promise<Account | null>;
  /** Signs in with `{ email, password }`; the names are those of the columns. A refused sign-in does not end the current session. */
  login(fields: Record<string, unknown>): Promise<SignedIn>;
  /** Creates an account and signs in. */
  register(fields: Record<string, unknown>): Promise<Registered<Account>>;
  /** Ends the session, or every session of the account. */
  logout(options?: { everywhere?: boolean }): Promise<void>;
  /** Renews the access token. Gives true with a new token, false if the session has ended. {@link fetch} calls it when needed. */
  refresh(): Promise<boolean>;
  /** Lists the active sessions of the account, the newest first. */
  sessions(): Promise<SessionInfo[]>;
  /** Ends one of {@link sessions}. */
  endSession(session: Pick<SessionInfo, 'id' | 'current'>): Promise<void>;
  /** Calls listener for each event, until the returned function is called. */
  on(event: AuthEvent, listener: () => void): () => void;
  /** Stops timers, and stops listening to other tabs. Do not sign in or out with this client afterwards: it cannot inform the other tabs. */
  close(): void;
}

export interface AuthOptions {
  /** The address of the built-in routes. Default: the folder from which the module was loaded. Set it if you use a bundler. */
  base?: string | URL;
}

/** Creates the client of one kind of account; `kind` is the name in the path of the built-in routes. Keep it as long as the page. */
export function createAuth<Account = Record<string, unknown>>(kind: string, options?: AuthOptions): Auth<Account>;
