// The list of the last requests that the tabs of this page sent. It wraps fetch, so that it also sees those of client.js.

import { make, Tabs } from './parts.js';

const LENGTH = 16;
const rows = document.querySelector('#log tbody');
const tabs = new Tabs('log');
const sent = new Map(); // how many requests of this tab went to each path

// countOf is how many requests this tab has sent to a path.
export const countOf = path => sent.get(path) ?? 0;

const original = globalThis.fetch;
globalThis.fetch = async (input, init) => {
  const { pathname } = new URL(input.url ?? input, location);
  sent.set(pathname, countOf(pathname) + 1);
  const entry = { method: init?.method ?? input.method ?? 'GET', path: pathname.replace(/(\/sessions\/).+/, '$1…') };
  try {
    const response = await original(input, init);
    record(entry, response.ok ? null : response.clone(), response.status);
    return response;
  } catch (error) {
    show({ ...entry, status: '–', code: error.name === 'AbortError' ? 'stopped' : 'no answer' });
    throw error;
  }
};

async function record(entry, refusal, status) {
  const code = (await refusal?.json().catch(() => null))?.error ?? '';
  show({ ...entry, status, code });
}

function show(entry) {
  tabs.postMessage(entry);
  add(entry);
}

function add({ method, path, status, code }, isOther = false) {
  const where = make('td', 'path', path);
  if (isOther) where.append(' ', make('span', 'here', 'other tab'));
  const tone = status >= 200 && status < 300 ? 'good' : 'bad';
  rows.prepend(make('tr', '', make('td', '', method), where, make('td', tone, `${status}`), make('td', 'code', code)));
  rows.children[LENGTH]?.remove();
  rows.closest('#log').hidden = false;
}

tabs.addEventListener('message', ({ data }) => add(data, true));
