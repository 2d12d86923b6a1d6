// Uses of the client, right and wrong. types_test.go has tsc check them in a
// folder with client.d.ts and, as source.js, client.js.
import { AuthError, createAuth } from './client.js';
import type { Auth, AuthEvent, AuthOptions, Registered, SessionInfo, SignedIn } from './client.js';
import * as declared from './client.js';
import * as source from './source.js';

// What is declared is written, and nothing else. The members of Auth are held against it in source.js itself.
type Same<A, B> = [A] extends [B] ? [B] extends [A] ? true : false : false;
true satisfies Same<keyof typeof declared, keyof typeof source>;
true satisfies Same<typeof declared.createAuth, typeof source.createAuth>;
true satisfies Same<declared.AuthError, source.AuthError>;
true satisfies Same<AuthEvent, 'session' | 'ended'>;

interface User { id: number; email: string }

export async function right(kind: string, stop: AbortSignal) {
  const options: AuthOptions = { base: new URL('https://api.example.com/auth') };
  createAuth(kind), createAuth(kind, {}), createAuth(kind, { base: '/auth' });
  const auth: Auth<User> = createAuth<User>(kind, options);
  const { fetch, me, login, register, logout, refresh, sessions, endSession, on, close } = auth;

  const account = await me();
  account satisfies User | null;
  (await createAuth(kind).me())?.email satisfies unknown;
  const signedIn: SignedIn = await login({ email: 'ann@example.com', password: 'correct horse battery', remember: true });
  [signedIn.token_type, signedIn.expires_in] satisfies ['Bearer', number];
  const registered: Registered<User> = await register({ email: 'ann@example.com' });
  [registered.entity.email, registered.expires_in, registered.token_type] satisfies [string, number | undefined, 'Bearer' | undefined];

  await fetch('/api/notes') satisfies Response;
  await fetch(new URL('/api/notes', location.href), { method: 'POST', body: '{}', signal: stop });
  await fetch(new Request('/api/notes'));
  window.fetch = fetch;

  const all: SessionInfo[] = await sessions();
  for (const session of all) {
    [session.id, session.created, session.last_refresh, session.expires, session.address, session.user_agent] satisfies string[];
    if (session.current) await endSession(session);
  }
  await endSession({ id: 'x', current: false });
  await refresh() satisfies boolean;
  await logout(), await logout({}), await logout({ everywhere: true });

  const event: AuthEvent = 'session';
  const off: () => void = on(event, () => {});
  on('ended', off);
  on('session', async () => { await me(); });
  close();
}

export function refused(error: unknown) {
  if (!(error instanceof AuthError)) throw error;
  [error.message, error.code, error.fields.password, error.name] satisfies string[];
  [error.status, error.retryAfter] satisfies number[];
}

export async function wrong(auth: Auth<User>, error: AuthError, session: SessionInfo) {
  // @ts-expect-error which kind
  createAuth();
  // @ts-expect-error no kind
  createAuth(['users', 'teachers']);
  // @ts-expect-error no such option
  createAuth('users', { url: '/auth' });
  // @ts-expect-error perhaps there is none
  (await auth.me()).email;
  // @ts-expect-error not of this kind
  (await auth.me())?.login;
  // @ts-expect-error nothing is known of it
  (await createAuth('users').me())?.email satisfies string;
  // @ts-expect-error with what
  auth.login();
  // @ts-expect-error one object
  auth.login('ann@example.com', 'correct horse battery');
  // @ts-expect-error no script sees a token
  (await auth.login({})).access_token;
  // @ts-expect-error perhaps the account has to wait
  (await auth.register({})).expires_in satisfies number;
  // @ts-expect-error by name
  auth.logout(true);
  // @ts-expect-error not its id alone
  auth.endSession(session.id);
  // @ts-expect-error as the server says
  session.current = false;
  // @ts-expect-error no such event
  auth.on('login', () => {});
  // @ts-expect-error an event has no payload
  auth.on('session', (account: User) => account);
  // @ts-expect-error no such member
  auth.token;
  // @ts-expect-error as the server says
  error.status = 200;
  // @ts-expect-error the client makes them
  new AuthError('no');
}
