/**
 * The browser's side of fiberjwt: cookies carry the tokens, no script ever sees one, and this module renews them.
 * Needs what every browser has had since 2024. Web Locks and BroadcastChannel are used where they exist.
 *
 *     import { createAuth } from '/auth/client.js';
 *     const auth = createAuth('users');
 *     const response = await auth.fetch('/api/notes');
 *
 * @module
 */

/** How long a refresh may take, Config.Refresh.Timeout of the server. */
const PATIENCE = 10_000;
/** How long it waits for other tabs. Going on without them is safe: the server gives racing tabs the same successor. */
const LOCK_PATIENCE = 2_000;
/** How long a sign-in or sign-out may take. */
const CHANGE_PATIENCE = 30_000;

/** What the server refused, or that it did not answer: then status is 0. */
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
    // A date counts as none.
    this.retryAfter = retryAfter || 0;
  }
}

/**
 * A client for one kind of account; make one for each kind and keep it.
 * @template [Account=Record<string, unknown>]
 * @param {string} kind as in the path of the built-in routes
 * @param {{ base?: string | URL }} [options] base: where those are; by default where this module came from
 * @returns {import('./client').Auth<Account>}
 */
export function createAuth(kind, { base = new URL('.', import.meta.url) } = {}) {
  const root = absolute(`${base}`.replace(/\/?$/, `/${kind}/`));
  const name = `fiberjwt ${root}`;
  /** @type {BroadcastChannel | undefined} */
  let channel = globalThis.BroadcastChannel && new BroadcastChannel(name);
  const events = new EventTarget();
  // As an option of addEventListener, since it has a signal; so is `over` below.
  const life = new AbortController();

  // Counts sign-ins and ends: what was asked in one session must not be repeated in another.
  let era = 0;
  // Counts access tokens.
  let version = 0;
  // When the access token expires, 0 if that is not known.
  let expires = 0;
  // Since the last renewal.
  let used = false;
  /** @type {boolean | undefined} until it is known */
  let signedIn;
  // Counts returns from the back/forward cache.
  let visit = 0;
  /** @type {Promise<boolean> | null | undefined} the refresh under way, for all who wait for it */
  let refreshing;
  // What stops it.
  let stopping = new AbortController();
  /** @type {unknown} the last failure */
  let trouble;
  // How many there were in a row, and until when the last answers for the server.
  let failures = 0, quietUntil = 0;
  /** @type {number | undefined} */
  let timer;

  const emit = (/** @type {import('./client').AuthEvent} */ type) => events.dispatchEvent(new Event(type));
  /** @param {[word: keyof typeof words, seconds?: number]} word */
  const tell = (...word) => channel?.postMessage(word);

  /**
   * A new access token is in the jar. The next one is fetched ahead of time, at a time of this tab's own, and only for a page
   * that is looked at and was used: a forgotten tab must not keep its session alive.
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

  // Somebody signed out, so somebody was signed in.
  function ended() {
    signedIn ??= true;
    end();
  }

  function stop() {
    stopping.abort();
    stopping = new AbortController();
  }

  /**
   * One tab at a time, unless the others keep the lock for too long.
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
   * What the server answers to a route of its own. An answer that is none of its own, of a proxy say, decides nothing.
   * @param {Promise<Response>} asked
   * @param {(answer: any) => unknown} [isOurs] is given the status if there is no JSON
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
        // Lets the word of the tab that had the lock arrive.
        await new Promise(done => setTimeout(done, 10));
        if (version !== seen) return true;
        const { expires_in } = await read(post('refresh', {}, AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)])), isToken);
        if (era !== asked) return false;
        accept(expires_in);
        tell('accept', expires_in);
        return true;
      });
    } catch (/** @type {any} */ error) {
      // Signed in or out meanwhile.
      if (era !== asked) return false;
      // For a sign-in or sign-out that was refused, or is not decided.
      if (signal.aborted) return renew(asked, seen);
      // Nothing was decided: the session is as good as before.
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
   * For a request that wants a new token; it may stop waiting without stopping the others.
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
    // Of a Request; a string and a URL have none of them.
    const { url, method, credentials, signal: own } = /** @type {Request} */ (input);
    if (absolute(url ?? input).origin !== root.origin) return fetch(input, init);
    // To its own origin a page sends cookies anyway, and any init takes settings off a Request.
    /** @type {RequestInit | undefined} */
    const options = root.origin === globalThis.origin || url && credentials !== 'same-origin' ? init : { credentials: 'include', ...init };
    const signal = options?.signal ?? own;
    const isOnce = options?.body instanceof ReadableStream || url && !/^(GET|HEAD)$/.test(method);
    // There will be no second time.
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
   * A sign-in or sign-out. Refreshes of the session before must not land after it, in no tab: not even that of a tab that is too
   * busy to hear of it.
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
    // Without a token, the account has to wait for something.
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
    // Of a session that has ended, or from before one that began or the page was left.
    if (era !== asked && (account || signedIn) || visit !== seen) return me();
    if (!account) end();
    else if (!signedIn) {
      signedIn = true;
      // If the sign-in was a page load, nobody has told the others.
      tell('found');
    }
    return account;
  }

  const words = {
    begin, ended, stop,
    // For a tab that takes nobody to be signed in, this and the next are news of a sign-in that was a page load.
    accept: (/** @type {number} */ seconds) => (signedIn === false ? begin : accept)(seconds),
    found: () => {
      if (signedIn !== false) return;
      era++;
      signedIn = true;
      emit('session');
    },
  };
  // A tab may have an older client or a newer one, with words of its own.
  if (channel) channel.onmessage = ({ data }) => words[/** @type {keyof typeof words} */ (data?.[0])]?.(data[1]);
  // A page that comes back from the back/forward cache may have missed the word.
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
 * As fetch reads an address, in a worker too, which has no document.
 * @param {string | URL} address
 */
const absolute = address => new URL(new Request(address).url);

/**
 * RFC 6750 §3.1: invalid_token is what a new token mends. Any other 401 is the application's own, and asked again it would be done twice.
 * @param {Response} response
 */
const isStale = response => response.status === 401 && response.headers.get('WWW-Authenticate')?.includes('invalid_token');
