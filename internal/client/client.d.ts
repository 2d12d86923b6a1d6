// The browser's side of fiberjwt, as Config.Client serves it.

/** What can be told about the session of a kind. */
export type AuthEvent =
  /** Somebody signed in, here or in another tab; or the page came back from the back/forward cache, and somebody is signed in or it cannot be told. Load the account. */
  | 'session'
  /** The session is over, here or in another tab. Show nothing of it any longer. */
  | 'ended';

/** What was refused, or that the server did not answer. `message` is a sentence. */
export class AuthError extends Error {
  /**
   * HTTP status; 0 if there was no answer, or one that is not the server's, a proxy's page say. A sign-in or sign-out may have
   * been done all the same: {@link Auth.me} tells.
   */
  readonly status: number;
  /** The member `error` of the answer, such as `invalid_credentials`. */
  readonly code: string;
  /** What is wrong with each member of the body, for 422: predicates, as in "is too short". */
  readonly fields: Record<string, string>;
  /** Seconds to wait, for 429 and 503; else 0, and for a date too. */
  readonly retryAfter: number;
  /** The client makes them. */
  private constructor();
}

/** Answer to a sign-in: the tokens themselves are in cookies. */
export interface SignedIn {
  readonly token_type: 'Bearer';
  /** Life of the access token, in seconds. */
  readonly expires_in: number;
}

/** Answer to a registration; without a token if the account has to wait, for a confirmation say. */
export interface Registered<Account> extends Partial<SignedIn> {
  readonly entity: Account;
}

export interface SessionInfo {
  readonly id: string;
  readonly created: string;
  readonly last_refresh: string;
  /** When it ends unless it is refreshed before. */
  readonly expires: string;
  readonly address: string;
  readonly user_agent: string;
  /** It is the one of this browser. */
  readonly current: boolean;
}

/**
 * A client for one kind of account. Its functions may be taken off it: `const { fetch } = createAuth('users')`.
 * All but `fetch` reject with an {@link AuthError}.
 */
export interface Auth<Account = Record<string, unknown>> {
  /**
   * As the global fetch, and to a `base` on another origin cookies go along too, unless `credentials` is `omit`. On a 401 that
   * a new access token mends, the client refreshes, once for all that wait for it in all tabs, and sends the request again. A
   * body that can be sent only once, a stream or that of a Request, is not sent again; the client refreshes before it instead,
   * where it must.
   *
   * A 401 that comes out of it is final, but for a body that can be sent only once: ask again then; and if `session` is told
   * meanwhile, for a sign-in or step-up in any tab: what was asked before it is not asked again after it. It is not
   * `invalid_token` if it is the application's own. From another origin the header WWW-Authenticate must be exposed. If the
   * refresh did not get an answer or was answered 503, the promise rejects with an {@link AuthError}: nothing is known, the
   * session is as good as before. Requests to other origins pass as they are.
   */
  fetch(input: RequestInfo | URL, init?: RequestInit): Promise<Response>;
  /** The account that is signed in when the promise is kept, null if none is. */
  me(): Promise<Account | null>;
  /** Signs in: `{ email, password }`, by the names of the columns. Ends nothing if it is refused. */
  login(fields: Record<string, unknown>): Promise<SignedIn>;
  /** Makes an account and signs in. */
  register(fields: Record<string, unknown>): Promise<Registered<Account>>;
  /** Ends the session, or every session of the account. */
  logout(options?: { everywhere?: boolean }): Promise<void>;
  /** Renews the access token: true if there is a new one, false if the session is over. {@link fetch} does it by itself. */
  refresh(): Promise<boolean>;
  /** The living sessions of the account, the newest first. */
  sessions(): Promise<SessionInfo[]>;
  /** Ends one of {@link sessions}. */
  endSession(session: Pick<SessionInfo, 'id' | 'current'>): Promise<void>;
  /** Calls listener on each event, until the function that it gives is called. */
  on(event: AuthEvent, listener: () => void): () => void;
  /** Stops timers and listens to other tabs no longer. Nobody signs in or out by it then: they could not be told. */
  close(): void;
}

export interface AuthOptions {
  /** Where the built-in routes are. Default: where the module was loaded from. */
  base?: string | URL;
}

/** Makes the client of one kind; `kind` is the one in the path of the built-in routes. Keep it as long as the page. */
export function createAuth<Account = Record<string, unknown>>(kind: string, options?: AuthOptions): Auth<Account>;
