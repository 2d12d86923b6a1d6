/**
 * The browser client of fiberjwt. The tokens are in cookies that no script can read; this module renews them.
 * It needs a browser of 2024 or later. It uses Web Locks and BroadcastChannel where they exist.
 *
 *     import { createAuth } from '/auth/client.js';
 *     const auth = createAuth('users');
 *     const response = await auth.fetch('/api/notes');
 *
 * @module
 */

/** How long a refresh may take: Config.Refresh.Timeout of the server. */
const PATIENCE = 10_000;
/** How long it waits for other tabs. It may continue without them, because the server gives racing tabs the same token. */
const LOCK_PATIENCE = 2_000;
/** How long a sign-in or sign-out may take. */
const CHANGE_PATIENCE = 30_000;

/** The server refused a request, or did not answer: then status is 0. */
export class AuthError extends Error {
  /**
   * @param {number} status
   * @param {{ error?: string, error_description?: string, fields?: Record<string, string> } | null} [answer]
   * @param {number} [retryAfter]
   */
  constructor(status, answer, retryAfter) {
    super(answer?.error_description || 'The server does not answer.');
    this.name = 'AuthError';
    this.status = status;
    this.code = answer?.error ?? '';
    this.fields = answer?.fields ?? {};
    // A date is ignored.
    this.retryAfter = retryAfter || 0;
  }
}

/**
 * Creates the client of one kind of account. Keep it as long as the page.
 * @template [Account=Record<string, unknown>]
 * @param {string} kind the name in the path of the built-in routes
 * @param {{ base?: string | URL }} [options] base: their address; by default the folder of this module
 * @returns {import('./client').Auth<Account>}
 */
export function createAuth(kind, { base = new URL('.', import.meta.url) } = {}) {
  const root = absolute(`${base}`.replace(/\/?$/, `/${kind}/`));
  const name = `fiberjwt ${root}`;
  /** @type {BroadcastChannel | undefined} */
  let channel = globalThis.BroadcastChannel && new BroadcastChannel(name);
  const events = new EventTarget();
  // Passed to addEventListener as the options, because it has a signal. `over` below is used in the same way.
  const life = new AbortController();

  // Counts sign-ins and ends of sessions: a request of one session must not be repeated in another.
  let era = 0;
  // Counts access tokens.
  let version = 0;
  // When the access token expires, or 0 if that is not known.
  let expires = 0;
  // Whether there was a request since the last refresh.
  let used = false;
  /** @type {boolean | undefined} undefined: not known yet */
  let signedIn;
  // Counts returns from the back/forward cache.
  let visit = 0;
  /** @type {Promise<boolean> | null | undefined} the refresh under way, for all who wait for it */
  let refreshing;
  // Aborts it.
  let stopping = new AbortController();
  /** @type {unknown} the last failure */
  let trouble;
  // Failures in a row, and until when requests fail with the last one without asking the server.
  let failures = 0, quietUntil = 0;
  /** @type {number | undefined} */
  let timer;

  const emit = (/** @type {import('./client').AuthEvent} */ type) => events.dispatchEvent(new Event(type));
  /** @param {[word: keyof typeof words, seconds?: number]} word */
  const tell = (...word) => channel?.postMessage(word);

  /**
   * The browser has a new access token. The next one is fetched early, at a random time that differs between tabs, and only if
   * the page is visible and was used: a forgotten tab must not keep its session alive.
   * @param {number} seconds
   */
  function accept(seconds) {
    version++;
    signedIn = true;
    used = false;
    failures = quietUntil = 0;
    expires = Date.now() + seconds * 1000;
    later(seconds * (700 + 200 * Math.random()));
  }

  /** @param {number} wait */
  function later(wait) {
    clearTimeout(timer);
    timer = setTimeout(() => used && !globalThis.document?.hidden && refresh().catch(() => {}), wait);
  }

  /** @param {number} seconds */
  function begin(seconds) {
    era++;
    stop();
    accept(seconds);
    emit('session');
  }

  function end() {
    era++;
    stop();
    clearTimeout(timer);
    expires = 0;
    const was = signedIn;
    signedIn = false;
    if (was) emit('ended');
  }

  // A sign-out means that a user was signed in.
  function ended() {
    signedIn ??= true;
    end();
  }

  function stop() {
    stopping.abort();
    stopping = new AbortController();
  }

  /**
   * Runs work in one tab at a time, unless another tab holds the lock for too long.
   * @template T
   * @param {number} patience
   * @param {AbortSignal} signal
   * @param {() => Promise<T>} work
   */
  async function alone(patience, signal, work) {
    let begun = false;
    const once = () => { begun = true; return work(); };
    try {
      return await navigator.locks.request(name, { signal: AbortSignal.any([signal, AbortSignal.timeout(patience)]) }, once);
    } catch (error) {
      if (begun || signal.aborted) throw error;
      return work();
    }
  }

  /**
   * Reads the response of a built-in route. A response that is not from the server, such as one of a proxy, decides nothing.
   * @param {Promise<Response>} asked
   * @param {(answer: any) => unknown} [isOurs] gets the status if there is no JSON
   * @returns {Promise<any>}
   */
  async function read(asked, isOurs = answer => answer === 204) {
    try {
      const response = await asked;
      const answer = await response.json().catch(() => response.status);
      if (!response.ok) throw new AuthError(response.status, answer, Number(response.headers.get('Retry-After')));
      if (isOurs(answer)) return answer;
    } catch (/** @type {any} */ error) {
      if (error.status) throw error;
    }
    throw new AuthError(0);
  }

  const isToken = (/** @type {any} */ answer) => answer?.expires_in > 0;

  /** @type {(route: string, body: object, signal: AbortSignal) => Promise<Response>} */
  const post = (route, body, signal) => fetch(new URL(route, root), {
    method: 'POST', credentials: 'include', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body), signal,
  });

  const refresh = () => refreshing ??= renew(era, version).finally(() => refreshing = null);

  /**
   * @param {number} asked era
   * @param {number} seen version
   * @returns {Promise<boolean>}
   */
  async function renew(asked, seen) {
    const { signal } = stopping;
    try {
      return await alone(LOCK_PATIENCE, signal, async () => {
        // Waits for the message of the tab that had the lock.
        await new Promise(done => setTimeout(done, 10));
        if (version !== seen) return true;
        const { expires_in } = await read(post('refresh', {}, AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)])), isToken);
        if (era !== asked) return false;
        accept(expires_in);
        tell('accept', expires_in);
        return true;
      });
    } catch (/** @type {any} */ error) {
      // A sign-in or sign-out came meanwhile.
      if (era !== asked) return false;
      // Aborted for a sign-in or sign-out that was refused or is still open.
      if (signal.aborted) return renew(asked, seen);
      // Nothing was decided: the session goes on.
      if (error.status !== 401) throw backOff(error);
      end();
      return false;
    }
  }

  /** @param {AuthError} error */
  function backOff(error) {
    const wait = Math.min(60, Math.max(error.retryAfter, Math.min(30, 2 ** failures++ / 2))) * (1000 + 500 * Math.random());
    quietUntil = Date.now() + wait;
    later(wait);
    return trouble = error;
  }

  /**
   * Waits for a new token. The request may stop waiting without stopping the others.
   * @param {AbortSignal | null | undefined} signal
   */
  function renewed(signal) {
    if (Date.now() < quietUntil) throw trouble;
    return new Promise((resolve, reject) => {
      signal?.throwIfAborted();
      const over = new AbortController();
      signal?.addEventListener('abort', () => reject(signal.reason), over);
      refresh().then(resolve, reject).finally(() => over.abort());
    });
  }

  /** @type {import('./client').Auth['fetch']} */
  async function authFetch(input, init) {
    // Members of a Request. A string or URL has none of them.
    const { url, method, credentials, signal: own } = /** @type {Request} */ (input);
    if (absolute(url ?? input).origin !== root.origin) return fetch(input, init);
    // A page always sends cookies to its own origin, and any init would override settings of a Request.
    /** @type {RequestInit | undefined} */
    const options = root.origin === globalThis.origin || url && credentials !== 'same-origin' ? init : { credentials: 'include', ...init };
    const signal = options?.signal ?? own;
    const isOnce = options?.body instanceof ReadableStream || url && !/^(GET|HEAD)$/.test(method);
    // It cannot be sent again.
    if (isOnce && Date.now() > expires - 5_000) await renewed(signal);
    const asked = era, seen = version;
    used = true;
    const response = await fetch(input, options);
    if (!isStale(response) || era !== asked) return response;
    signedIn ??= true;
    if (version === seen && !await renewed(signal) || isOnce || era !== asked) return response;
    response.body?.cancel().catch(() => {});
    return fetch(input, options);
  }

  /**
   * Signs in or out. A refresh of the session before must not arrive after it, in any tab, not even in one that is too busy to
   * read the message.
   * @param {string} route
   * @param {object} body
   * @param {(answer: any) => unknown} [isOurs]
   */
  function change(route, body, isOurs) {
    stop();
    tell('stop');
    return read(alone(PATIENCE + 1_000, life.signal, () => post(route, body, AbortSignal.timeout(CHANGE_PATIENCE))), isOurs);
  }

  const enter = (/** @type {string} */ route) => async (/** @type {Record<string, unknown>} */ fields) => {
    // Without a token, the account has to wait, for example for a confirmation.
    const answer = await change(route, { ...fields, transport: 'cookie' }, answer => answer?.entity || isToken(answer));
    if (isToken(answer)) {
      begin(answer.expires_in);
      tell('begin', answer.expires_in);
    }
    return answer;
  };

  /** @type {(route: string, init: RequestInit, isOurs?: (answer: any) => unknown) => Promise<any>} */
  const ask = (route, init, isOurs) => read(authFetch(new URL(route, root), init), isOurs);

  function leave() {
    ended();
    tell('ended');
  }

  async function me() {
    const asked = era, seen = visit;
    const account = await ask('me', {}, answer => answer instanceof Object).catch(error => {
      if (error.status !== 401) throw error;
      return null;
    });
    // The answer is about a session that has ended, or is older than a sign-in or a return of the page.
    if (era !== asked && (account || signedIn) || visit !== seen) return me();
    if (!account) end();
    else if (!signedIn) {
      signedIn = true;
      // If a page load signed in, the other tabs do not know yet.
      tell('found');
    }
    return account;
  }

  const words = {
    begin, ended, stop,
    // To a tab that is signed out, this message and the next mean that a page load signed in.
    accept: (/** @type {number} */ seconds) => (signedIn === false ? begin : accept)(seconds),
    found: () => {
      if (signedIn !== false) return;
      era++;
      signedIn = true;
      emit('session');
    },
  };
  // Another tab may have an older or newer client, with other messages.
  if (channel) channel.onmessage = ({ data }) => words[/** @type {keyof typeof words} */ (data?.[0])]?.(data[1]);
  // A page that comes back from the back/forward cache may have missed a message.
  globalThis.addEventListener?.('pageshow', async ({ persisted }) => {
    if (persisted && ++visit && await me().catch(() => true)) emit('session');
  }, life);

  return {
    fetch: authFetch,
    refresh,
    me,
    login: enter('login'),
    register: enter('register'),
    logout: async ({ everywhere = false } = {}) => {
      await change(everywhere ? 'logout-all' : 'logout', {});
      leave();
    },
    sessions: () => ask('sessions', {}, Array.isArray),
    endSession: async ({ id, current }) => {
      await ask(`sessions/${encodeURIComponent(id)}`, { method: 'DELETE' });
      if (current) leave();
    },
    on: (type, listener) => {
      events.addEventListener(type, listener);
      return () => events.removeEventListener(type, listener);
    },
    close: () => {
      era++;
      stop();
      clearTimeout(timer);
      life.abort();
      channel?.close();
      channel = undefined;
    },
  };
}

/**
 * Resolves an address as fetch does, also in a worker, which has no document.
 * @param {string | URL} address
 */
const absolute = address => new URL(new Request(address).url);

/**
 * A new token helps only against invalid_token (RFC 6750 §3.1). Any other 401 is the application's own; a retry could do its work twice.
 * @param {Response} response
 */
const isStale = response => response.status === 401 && response.headers.get('WWW-Authenticate')?.includes('invalid_token');
