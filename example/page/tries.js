// Three things to try, each with its answer below its button. The first and the third use a session of their own, whose tokens
// this script holds: an attacker and an owner are then two variables. Those of the panels stay in cookies that no script reads.

import { AuthError } from '/auth/client.js';
import { countOf } from './log.js';
import { answer, make, sentenceOf, sleep, Tabs } from './parts.js';

const REQUESTS = 3; // of each tab at once
const EXPIRED = 7; // seconds until a token that lives for 1 s is refused: the server allows 5 s for clocks that differ
const tabs = new Tabs('tries');

// Try is one of the cards. Its steps appear one by one; the verdict comes last.
class Try {
  constructor(name, run) {
    this.element = document.querySelector(`[data-try="${name}"]`);
    this.steps = this.element.querySelector('.steps');
    this.verdict = this.element.querySelector('.message');
    const button = this.element.querySelector('button');
    button.addEventListener('click', async () => {
      if (button.ariaDisabled) return;
      button.ariaDisabled = 'true';
      this.clear();
      try {
        await run(this);
      } catch (error) {
        this.end(sentenceOf(error), 'bad');
      } finally {
        button.ariaDisabled = null;
      }
    });
  }

  clear() {
    this.steps.replaceChildren();
    answer(this.verdict, '');
  }

  // step adds a line, and what the server answered.
  step(sentence, { status, code = '' } = {}) {
    const line = make('li', '', sentence);
    if (status) line.append(' ', make('code', status < 300 ? 'good' : 'bad', `${status} ${code}`.trim()));
    this.steps.append(line);
    line.scrollIntoView({ block: 'nearest' });
  }

  end(sentence, tone) {
    answer(this.verdict, sentence, tone);
  }
}

// send is a request without the cookies of the page: what counts is the token that the script gives along.
async function send(method, path, { token, body } = {}) {
  const headers = { Accept: 'application/json' };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body) headers['Content-Type'] = 'application/json';
  const response = await fetch(path, { method, headers, body: body && JSON.stringify(body), credentials: 'omit' });
  const json = await response.json().catch(() => ({}));
  return { status: response.status, code: json.error, ...json };
}

// succeeded gives the answer, or throws it.
function succeeded(reply) {
  if (reply.status >= 300) throw new AuthError(reply.status, reply);
  return reply;
}

// --- a teacher on a users' route ---------------------------------------------------------------------------------------------

async function wrongKind(shown, panels) {
  const teacher = panels.find(panel => panel.spec.kind === 'teachers');
  if (!teacher.account) return shown.end('Sign in as a teacher first. You can create an account with any username.', 'bad');
  const { access_token: token } = await teacher.call('POST', '/api/try/teachers/tokens');
  try {
    const own = await send('GET', '/api/teachers/me', { token });
    shown.step('Teacher asks for /api/teachers/me:', own);
    const users = await send('GET', '/api/users/me', { token });
    shown.step('Teacher asks for /api/users/me:', users);
    const isRefused = own.status === 200 && users.code === 'wrong_kind';
    if (isRefused) shown.end('The token is valid, but not on a users’ route. Teacher 1 never passes for user 1.', 'good');
    else shown.end('This was not expected: the second answer should be 403 wrong_kind.', 'bad');
  } finally {
    await send('POST', '/auth/teachers/logout', { token });
  }
}

// --- an access token that expires in two tabs --------------------------------------------------------------------------------

// tabsOf asks the other tabs which of them are signed in as a kind, for so long, or until the first says so.
async function tabsOf(kind, milliseconds, isFirstEnough) {
  const found = new Set();
  const over = new AbortController();
  const first = new Promise(done => {
    tabs.addEventListener('message', ({ data }) => {
      if (data.type !== 'here' || data.kind !== kind) return;
      found.add(data.tab);
      if (isFirstEnough) done();
    }, over);
  });
  tabs.postMessage({ type: 'who', kind });
  await Promise.race([first, sleep(milliseconds)]);
  over.abort();
  return found.size;
}

// askAtOnce sends requests with the token that has expired and tells how they went.
async function askAtOnce(panel) {
  const refresh = `/auth/${panel.spec.kind}/refresh`;
  const before = countOf(refresh);
  const requests = Array.from({ length: REQUESTS }, () => panel.call('GET', `/api/${panel.spec.kind}/me`));
  const failed = (await Promise.allSettled(requests)).filter(({ status }) => status === 'rejected').length;
  return { failed, refreshes: countOf(refresh) - before };
}

async function expire(shown, panels) {
  const panel = panels.find(({ account }) => account);
  if (!panel) return shown.end('Sign in first, as a user or as a teacher.', 'bad');
  const { kind } = panel.spec;
  let others = await tabsOf(kind, 300);
  if (!others) {
    open(location.pathname);
    others = await tabsOf(kind, 10_000, true);
  }
  if (!others) return shown.end('No second tab answers. Open this page in a second tab and try again.', 'bad');

  const tell = (sentence, reply) => {
    shown.step(sentence, reply);
    tabs.postMessage({ type: 'step', sentence, reply });
  };
  tabs.postMessage({ type: 'begin' });
  await panel.call('POST', `/api/try/${kind}/expiring`);
  tell(`${others + 1} tabs are open. Their access token expires in ${EXPIRED} seconds.`);
  await sleep(EXPIRED * 1000);

  const theirs = new Promise(done => {
    const outcomes = [];
    tabs.addEventListener('message', function hear({ data }) {
      if (data.type !== 'asked') return;
      outcomes.push(data);
      if (outcomes.length < others) return;
      tabs.removeEventListener('message', hear);
      done(outcomes);
    });
  });
  tabs.postMessage({ type: 'ask', kind });
  const mine = await askAtOnce(panel);
  const outcomes = [mine, ...await Promise.race([theirs, sleep(15_000).then(() => [])])];
  const sum = member => outcomes.reduce((total, outcome) => total + outcome[member], 0);
  tell(`${outcomes.length} tabs asked ${REQUESTS} times each, at the same moment.`);
  tell(`Refreshes: ${sum('refreshes')}. Failed requests: ${sum('failed')}.`);
  const isGood = outcomes.length > 1 && sum('failed') === 0;
  const verdict = isGood ? ['The tabs shared the new token, and nothing failed.', 'good'] : ['This was not expected: every tab should get its answers.', 'bad'];
  shown.end(...verdict);
  tabs.postMessage({ type: 'end', verdict });
  await panel.listSessions(); // the session is a new one
}

// join takes part in what another tab began, and shows the same.
function join(shown, panels) {
  const tab = crypto.randomUUID();
  const here = kind => tabs.postMessage({ type: 'here', kind, tab });
  tabs.addEventListener('message', async ({ data }) => {
    const panel = panels.find(({ spec, account }) => account && spec.kind === data.kind);
    if (data.type === 'who' && panel) here(data.kind);
    if (data.type === 'ask' && panel) tabs.postMessage({ type: 'asked', ...await askAtOnce(panel) });
    if (data.type === 'begin') shown.clear();
    if (data.type === 'step') shown.step(data.sentence, data.reply);
    if (data.type !== 'end') return;
    shown.end(...data.verdict);
    await Promise.all(panels.filter(({ account }) => account).map(panel => panel.listSessions()));
  });
  for (const { spec, account } of panels) if (account) here(spec.kind); // for the tab that opened this one
}

// --- a stolen refresh token --------------------------------------------------------------------------------------------------

// rotate refreshes until the server hands out another refresh token.
async function rotate(path, token) {
  for (let attempt = 0; attempt < 30; attempt++) {
    await sleep(attempt ? 300 : 2_000); // a token is not rotated before it is two seconds old
    const reply = await send('POST', path, { body: { refresh_token: token } });
    if (reply.status !== 503) succeeded(reply);
    if (reply.refresh_token) return reply;
  }
  throw new AuthError(0);
}

async function steal(shown, panels) {
  const panel = panels.find(({ account }) => account);
  if (!panel) return shown.end('Sign in first, as a user or as a teacher.', 'bad');
  const { kind } = panel.spec;
  const path = `/quick/${kind}/refresh`;
  let owner = await panel.call('POST', `/api/try/${kind}/tokens`);
  const stolen = owner.refresh_token;
  shown.step('A session begins. An attacker copies its refresh token.');
  for (const which of ['a new one', 'another one']) {
    owner = await rotate(path, owner.refresh_token);
    shown.step(`The owner refreshes and gets ${which}:`, owner);
  }
  const attacker = await send('POST', path, { body: { refresh_token: stolen } });
  shown.step('The attacker sends the copy:', attacker);
  const access = await send('GET', `/api/${kind}/me`, { token: owner.access_token });
  shown.step('The owner’s access token:', access);
  const refresh = await send('POST', path, { body: { refresh_token: owner.refresh_token } });
  shown.step('The owner’s refresh token:', refresh);
  const isOver = [attacker, access, refresh].every(({ status }) => status === 401);
  if (isOver) shown.end('The session has ended for both. The attacker has nothing, and the owner signs in again.', 'good');
  else shown.end('This was not expected: all three should be answered 401.', 'bad');
}

// startTries is called when the panels know who is signed in.
export function startTries(panels) {
  new Try('kind', shown => wrongKind(shown, panels));
  new Try('theft', shown => steal(shown, panels));
  join(new Try('expiry', shown => expire(shown, panels)), panels);
}
