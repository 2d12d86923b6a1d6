// The page: a panel for each kind of account, the notes of the accounts that are signed in, and three things to try. The
// browser keeps the tokens in cookies; client.js, which comes from fiberjwt, signs in and out and renews them.

import { AuthError, createAuth } from '/auth/client.js';
import './log.js';
import { answer, make, say, sentenceOf } from './parts.js';
import { startTries } from './tries.js';

const kinds = [
  {
    kind: 'users', title: 'User', initial: 'U',
    identity: { name: 'email', label: 'Email', type: 'email', missing: 'Enter an email address.' },
    name: { name: 'full_name', label: 'Full name' },
  },
  {
    kind: 'teachers', title: 'Teacher', initial: 'T',
    identity: { name: 'login', label: 'Username', type: 'text', missing: 'Enter a username.' },
    name: { name: 'name', label: 'Name' },
  },
];

// --- forms -------------------------------------------------------------------------------------------------------------------

// Form sends the fields of a form, disables its button meanwhile, and puts each complaint below its field and anything else
// below its button.
class Form {
  constructor(element, prefix, submit) {
    this.element = element;
    this.button = element.querySelector('button.main');
    this.message = element.querySelector('.message');
    for (const field of element.querySelectorAll('.field')) connect(field, `${prefix}-${element.classList[0]}`);
    for (const input of element.querySelectorAll('.field [type="password"]')) this.#addToggle(input);
    element.addEventListener('submit', event => {
      event.preventDefault();
      this.#run(submit);
    });
    element.addEventListener('input', event => complain(event.target.closest('.field'), ''));
  }

  // addToggle adds a button that shows the password, until the form is sent or emptied.
  #addToggle(input) {
    const toggle = make('button', 'show', 'Show');
    toggle.type = 'button';
    toggle.setAttribute('aria-controls', input.id);
    const label = input.closest('.field').querySelector('label').textContent.toLowerCase();
    const set = isShown => {
      input.type = isShown ? 'text' : 'password';
      toggle.textContent = isShown ? 'Hide' : 'Show';
      toggle.setAttribute('aria-label', `${toggle.textContent} ${label}`);
    };
    set(false);
    toggle.addEventListener('click', () => set(input.type === 'password'));
    for (const event of ['submit', 'reset']) this.element.addEventListener(event, () => set(false));
    input.spellcheck = false;
    input.autocapitalize = 'none';
    input.after(toggle);
  }

  get values() {
    return Object.fromEntries([...this.element.querySelectorAll('.field [name]')].map(input => [input.name, input.value]));
  }

  async #run(submit) {
    if (this.isBusy) return;
    for (const field of this.element.querySelectorAll('.field')) complain(field, '');
    this.isBusy = true;
    this.button.setAttribute('aria-disabled', 'true'); // disabled would take the focus away
    try {
      await submit(this.values);
    } finally {
      this.isBusy = false;
      this.button.removeAttribute('aria-disabled');
    }
  }

  // complain puts the sentences below their fields, moves to the first, and reports whether there was a place for each. The
  // server's are predicates, as in "is too long", and get the field's label for a subject.
  complain(sentences) {
    let first = null;
    for (const [name, sentence] of Object.entries(sentences)) {
      const input = this.element.querySelector(`.field [name="${CSS.escape(name)}"]`);
      if (!input) return false;
      const field = input.closest('.field');
      const isPredicate = /^[a-z]/.test(sentence);
      complain(field, isPredicate ? `${field.querySelector('label').textContent} ${sentence}.` : sentence);
      first ??= input;
    }
    first?.focus();
    return first !== null;
  }

  clear() {
    this.element.reset();
    for (const field of this.element.querySelectorAll('.field')) complain(field, '');
  }
}

// connect ties label, input and complaint together for screen readers.
function connect(field, prefix) {
  const input = field.querySelector('input, textarea');
  const id = `${prefix}-${input.name}`;
  input.id = id;
  field.querySelector('label').htmlFor = id;
  const notes = [...field.querySelectorAll('.hint, .fault')];
  for (const note of notes) note.id = `${id}-${note.className}`;
  input.setAttribute('aria-describedby', notes.map(note => note.id).join(' '));
}

function complain(field, sentence) {
  if (!field) return;
  const fault = field.querySelector('.fault');
  fault.textContent = sentence;
  fault.hidden = !sentence;
  const input = field.querySelector('input, textarea');
  if (sentence) input.setAttribute('aria-invalid', 'true');
  else input.removeAttribute('aria-invalid');
}

// required are the complaints about empty fields, so that the server need not be asked for them.
function required(values, sentences) {
  return Object.fromEntries(Object.entries(sentences).filter(([name]) => !values[name].trim()));
}

// --- one kind of account -----------------------------------------------------------------------------------------------------

class Panel {
  account = null;
  turn = 0; // counts accounts: what was asked for one is not shown for another, nor after a sign-out
  entering = false; // a sign-in of this tab is under way and shows the account itself

  constructor(spec) {
    this.spec = spec;
    this.auth = createAuth(spec.kind);
    this.auth.on('session', () => this.entering || this.follow());
    this.auth.on('ended', () => this.signedOut('This session has ended. Sign in again.'));
    this.element = document.querySelector('#panel').content.firstElementChild.cloneNode(true);
    this.element.dataset.kind = spec.kind;
    this.message = this.$(':scope > .message');
    this.$('h2').id = `${spec.kind}-title`;
    this.element.setAttribute('aria-labelledby', `${spec.kind}-title`);
    this.#fill('identity', spec.identity);
    this.#fill('name', { ...spec.name, type: 'text' });
    this.#tabs();
    this.login = new Form(this.$('form.login'), spec.kind, values => this.signIn(values));
    this.register = new Form(this.$('form.register'), spec.kind, values => this.signUp(values));
    this.password = new Form(this.$('form.password'), spec.kind, values => this.changePassword(values));
    this.$('.secret').addEventListener('click', () => this.openSecret());
    this.$('.retry').addEventListener('click', () => this.retry());
    addEventListener('online', () => this.isUnknown && this.follow());
    this.$('.logout').addEventListener('click', () => this.signOut({}, 'You are signed out.'));
    this.$('.logout-all').addEventListener('click', () => this.signOut({ everywhere: true }, 'You are signed out, here and everywhere else.'));
  }

  $(selector) {
    return this.element.querySelector(selector);
  }

  #fill(field, { name, label, type }) {
    for (const element of this.element.querySelectorAll(`[data-field="${field}"]`)) {
      element.querySelector('label').textContent = label;
      Object.assign(element.querySelector('input'), { name, type });
    }
  }

  #tabs() {
    for (const radio of this.element.querySelectorAll('.tabs input')) {
      radio.name = `${this.spec.kind}-form`;
      radio.addEventListener('change', () => this.#show(radio.value));
    }
  }

  #show(form) {
    this.$('form.login').hidden = form !== 'login';
    this.$('form.register').hidden = form !== 'register';
    this.$(`.tabs [value="${form}"]`).checked = true;
    say(this.message, '');
  }

  // call sends a request of this kind's session and gives the JSON of the answer.
  async call(method, path, body) {
    const request = { method, headers: { Accept: 'application/json' } };
    if (body !== undefined) {
      request.headers['Content-Type'] = 'application/json';
      request.body = JSON.stringify(body);
    }
    const response = await this.auth.fetch(path, request);
    const answer = response.status === 204 ? {} : await response.json().catch(() => ({}));
    if (!response.ok) throw new AuthError(response.status, answer, Number(response.headers.get('Retry-After')));
    return answer;
  }

  // attempt runs an action and turns its error into sentences: below the fields that it is about, else at place, which is next
  // to the button.
  async attempt(action, place, form) {
    this.silence();
    this.element.setAttribute('aria-busy', 'true');
    try {
      await action();
    } catch (error) {
      const about = error.status === 409 ? { [this.spec.identity.name]: 'This one is taken. Choose another, or sign in.' } : error.fields;
      if (about && form?.complain(about)) return;
      if (this.account || form) answer(place, sentenceOf(error), 'bad');
    } finally {
      this.element.setAttribute('aria-busy', 'false');
    }
  }

  silence() {
    for (const message of this.element.querySelectorAll('.message')) say(message, '');
  }

  // enter runs a sign-in, shows the account, and moves the focus to its heading.
  async enter(action) {
    this.entering = true;
    try {
      await action();
    } finally {
      this.entering = false;
    }
    await this.follow();
    this.$('h2').focus();
  }

  signIn(values) {
    const missing = required(values, { [this.spec.identity.name]: this.spec.identity.missing, password: 'Enter your password.' });
    if (this.login.complain(missing)) return;
    return this.attempt(async () => {
      try {
        await this.enter(() => this.auth.login(values));
      } catch (error) {
        if (error.code === 'invalid_credentials') error.fields = { password: `Incorrect ${this.spec.identity.label.toLowerCase()} or password.` };
        throw error;
      }
    }, this.login.message, this.login);
  }

  signUp(values) {
    const missing = required(values, { [this.spec.identity.name]: this.spec.identity.missing, password: 'Choose a password.' });
    if (this.register.complain(missing)) return;
    return this.attempt(() => this.enter(() => this.auth.register(values)), this.register.message, this.register);
  }

  changePassword(values) {
    const missing = required(values, { current_password: 'Enter your current password.', password: 'Choose a new password.' });
    if (this.password.complain(missing)) return;
    return this.attempt(async () => {
      try {
        await this.call('POST', `/auth/${this.spec.kind}/password`, values);
      } catch (error) {
        if (error.code === 'invalid_credentials') error.fields = { current_password: 'Incorrect password.' };
        throw error;
      }
      this.password.clear();
      this.$('details').open = false;
      this.$('summary').focus();
      await this.listSessions();
      answer(this.$('.password-answer .message'), 'Password changed. Every other session has ended.', 'good');
    }, this.password.message, this.password);
  }

  // openSecret asks for what needs a password that was entered within five minutes. If it was not, it asks for it and tries again.
  openSecret() {
    const place = this.$('.safe-answer .message');
    return this.attempt(async () => {
      const route = `/api/${this.spec.kind}/sensitive`;
      let { turn } = this;
      let safe;
      try {
        safe = await this.call('GET', route);
      } catch (error) {
        if (error.code !== 'insufficient_user_authentication') throw error;
        if (!await proof.ask(this)) return;
        ({ turn } = this);
        safe = await this.call('GET', route);
      }
      if (turn === this.turn) answer(place, safe.message, 'good');
    }, place);
  }

  signOut(options, farewell) {
    return this.attempt(async () => {
      await this.auth.logout(options);
      this.$(`form.login [name="${this.spec.identity.name}"]`).focus();
      answer(this.message, farewell, 'good');
    }, this.$('.logout-answer .message'));
  }

  // start asks for the account only if the browser has a session cookie: the server would answer 401 to a browser without one.
  start(cookies) {
    return this.follow(async () => {
      if ((await cookies)[this.spec.kind]) await this.load();
      else this.signedOut();
    });
  }

  // follow shows what the session is now: at the start, after a sign-in here or in another tab, on the way back to the page.
  async follow(load = () => this.load()) {
    this.element.setAttribute('aria-busy', 'true');
    if (!this.account) say(this.message, '');
    try {
      await load();
    } catch (error) {
      if (!this.account) this.unknown();
      say(this.message, sentenceOf(error), 'bad');
    } finally {
      this.element.setAttribute('aria-busy', 'false');
    }
  }

  async retry() {
    await this.follow();
    if (!this.isUnknown) this.$('h2').focus();
  }

  async load() {
    const account = await this.auth.me();
    if (!account) return this.signedOut(this.message.textContent, 'bad');
    this.signedIn(account);
    await Promise.all([this.listSessions(), notes.load()]);
  }

  signedIn(account) {
    this.account = account;
    this.turn++;
    const identity = account[this.spec.identity.name];
    const name = account[this.spec.name.name] || identity;
    this.$('h2').textContent = name;
    this.$('.face').textContent = ([...name.trim()][0] ?? this.spec.initial).toUpperCase();
    this.$('.state').textContent = this.spec.title;
    this.$('[name="username"]').value = identity;
    this.$('.account').replaceChildren(
      ...row(this.spec.identity.label, identity),
      ...row(this.spec.name.label, account[this.spec.name.name] || '–'),
      ...row('Account', `${this.spec.kind} / ${account.id}`),
    );
    this.#turn('in');
  }

  signedOut(sentence = '', tone = '') {
    this.conceal();
    this.$('.state').textContent = 'Signed out';
    this.#show('login');
    this.#turn('out');
    say(this.message, sentence, tone);
  }

  // unknown is for a server that does not answer: the person may be signed in, so the page does not ask to sign in.
  unknown() {
    this.conceal();
    this.$('.state').textContent = 'Not known';
    this.#turn('unknown');
  }

  get isUnknown() {
    return !this.$('.unknown').hidden;
  }

  // conceal takes everything private off the page. The focus goes to the heading if it was on something that is hidden now.
  conceal() {
    const hadAccount = this.account !== null;
    this.account = null;
    this.turn++;
    proof.close(this);
    const focus = document.activeElement;
    for (const form of [this.login, this.register, this.password]) form.clear();
    this.$('details').open = false;
    this.$('.in').hidden = true;
    this.$('.account').replaceChildren();
    this.$('.sessions').replaceChildren();
    this.$('h2').textContent = this.spec.title;
    this.$('.face').textContent = this.spec.initial;
    this.$('.state').textContent = '…';
    this.$('[name="username"]').value = '';
    this.silence();
    if (hadAccount) notes.forget(this);
    if (focus.closest('[hidden]')) this.$('h2').focus();
  }

  // turn shows one part of the panel: 'in', 'out' or 'unknown'.
  #turn(part) {
    for (const each of ['in', 'out', 'unknown']) this.$(`.${each}`).hidden = each !== part;
    this.element.classList.toggle('signed-in', part === 'in');
  }

  async listSessions() {
    const { turn } = this;
    const sessions = await this.auth.sessions();
    if (turn !== this.turn) return;
    const here = sessions.filter(session => session.current);
    const elsewhere = sessions.filter(session => !session.current);
    this.$('.sessions').replaceChildren(...[...here, ...elsewhere].map(session => this.#session(session)));
  }

  #session(session) {
    const where = make('div', 'what', make('strong', '', deviceOf(session.user_agent)));
    if (session.current) where.append(make('span', 'here', 'this device'));
    where.append(make('small', '', `${session.address || 'unknown address'}, since `, time(session.created)));

    const end = make('button', 'quiet', 'End');
    end.type = 'button';
    end.setAttribute('aria-label', `End the session of ${deviceOf(session.user_agent)}${session.current ? ', this device' : ''}`);
    end.addEventListener('click', () => this.attempt(async () => {
      if (end.ariaDisabled) return;
      end.ariaDisabled = 'true';
      try {
        await this.auth.endSession(session);
      } finally {
        end.ariaDisabled = null;
      }
      if (session.current) return answer(this.message, 'You ended the session of this device.', 'good');
      await this.listSessions();
      this.$('.sessions-title').focus();
      answer(this.$('.sessions-answer .message'), 'The session has ended.', 'good');
    }, this.$('.sessions-answer .message')));
    return make('li', '', where, end);
  }
}

// proof is the dialog that asks for the password once more.
const proof = {
  dialog: document.querySelector('#proof'),

  start() {
    this.form = new Form(this.dialog.querySelector('form'), 'proof', values => this.submit(values));
    this.dialog.querySelector('.cancel').addEventListener('click', () => this.dialog.close());
    this.dialog.addEventListener('close', () => {
      this.form.clear();
      this.done(this.proved);
    });
  },

  // ask gives true when the password was confirmed, false when the person cancelled.
  ask(panel) {
    this.panel = panel;
    this.proved = false;
    this.dialog.dataset.kind = panel.spec.kind;
    this.dialog.querySelector('.who').textContent = panel.account[panel.spec.identity.name];
    this.dialog.querySelector('[name="username"]').value = panel.account[panel.spec.identity.name];
    say(this.form.message, '');
    this.dialog.showModal();
    return new Promise(done => { this.done = done; });
  },

  close(panel) {
    if (this.panel !== panel) return;
    this.dialog.querySelector('.who').textContent = '';
    this.form.clear();
    this.dialog.close();
  },

  async submit({ password }) {
    if (this.form.complain(required({ password }, { password: 'Enter your password.' }))) return;
    const { panel } = this;
    const name = panel.spec.identity.name;
    try {
      await panel.enter(() => panel.auth.login({ [name]: panel.account[name], password }));
      this.proved = true;
      this.dialog.close();
    } catch (error) {
      if (!this.dialog.open) return; // the person cancelled, or the session has ended
      if (error.code === 'invalid_credentials') this.form.complain({ password: 'Incorrect password.' });
      else answer(this.form.message, sentenceOf(error), 'bad');
    }
  },
};

// --- notes -------------------------------------------------------------------------------------------------------------------

const notes = {
  element: document.querySelector('#notes'),

  start() {
    this.form = new Form(this.element.querySelector('form'), 'notes', values => this.add(values));
    this.message = this.form.message;
    const text = this.element.querySelector('textarea');
    const count = this.element.querySelector('.count');
    this.form.element.addEventListener('change', () => this.colour());
    const tally = () => { count.textContent = `${[...text.value.trim()].length} / 2000`; };
    this.form.element.addEventListener('input', tally);
    this.form.element.addEventListener('reset', () => queueMicrotask(tally));
    text.addEventListener('keydown', event => {
      if (event.key === 'Enter' && (event.ctrlKey || event.metaKey)) this.form.element.requestSubmit();
    });
  },

  // load fetches the notes of every account that is signed in, each by its own session.
  async load() {
    const writers = this.offer();
    const turns = writers.map(panel => panel.turn);
    try {
      const lists = await Promise.all(writers.map(panel => panel.call('GET', `/api/${panel.spec.kind}/notes`)));
      const current = lists.flatMap((list, i) => writers[i].turn === turns[i] ? list.notes : []);
      this.show(current.sort((a, b) => b.created_at.localeCompare(a.created_at) || b.id - a.id));
    } catch (error) {
      if (error.status !== 401) say(this.message, sentenceOf(error), 'bad'); // else the panel says it
    }
  },

  // forget takes the notes of a panel away. Those of the other account are on the page already.
  forget({ spec }) {
    for (const item of this.element.querySelectorAll(`.list [data-kind="${spec.kind}"]`)) item.remove();
    this.element.querySelector('.empty').hidden = this.element.querySelector('.list li') !== null;
    say(this.message, '');
    this.offer();
  },

  async add({ text }) {
    if (this.form.complain(required({ text }, { text: 'Write something first.' }))) return;
    const kind = this.writer;
    const writer = panels.find(panel => panel.spec.kind === kind);
    say(this.message, '');
    try {
      await writer.call('POST', `/api/${kind}/notes`, { text });
      this.form.element.querySelector('textarea').value = '';
      this.form.element.dispatchEvent(new Event('input'));
      await this.load();
      answer(this.message, 'Note added.', 'good');
    } catch (error) {
      if (!this.form.complain(error.fields ?? {})) answer(this.message, sentenceOf(error), 'bad');
    }
  },

  // offer lets the person choose among the accounts that are signed in, and keeps the choice while that account is. It gives
  // their panels. If there is none, the notes are hidden.
  offer() {
    const writers = panels.filter(panel => panel.account);
    this.element.hidden = writers.length === 0;
    if (this.element.hidden) {
      this.form.clear();
      return writers;
    }
    const choice = this.element.querySelector('.choice');
    this.element.querySelector('.writer').hidden = writers.length < 2;
    const chosen = choice.querySelector('input:checked')?.value;
    choice.replaceChildren(...writers.map(({ spec }) => {
      const radio = make('input');
      Object.assign(radio, { type: 'radio', name: 'kind', value: spec.kind, checked: spec.kind === chosen });
      const label = make('label', '', radio, make('span', '', spec.title));
      label.dataset.kind = spec.kind;
      return label;
    }));
    if (!choice.querySelector('input:checked')) choice.querySelector('input').checked = true;
    this.colour();
    return writers;
  },

  get writer() {
    return this.element.querySelector('.choice input:checked').value;
  },

  colour() {
    this.form.element.dataset.kind = this.writer;
  },

  show(notes) {
    this.element.querySelector('.empty').hidden = notes.length > 0;
    this.element.querySelector('.list').replaceChildren(...notes.map(note => {
      const kind = make('span', 'kind', kinds.find(spec => spec.kind === note.kind)?.title ?? note.kind);
      const item = make('li', '', make('p', 'text', note.text), make('small', '', kind, time(note.created_at)));
      item.dataset.kind = note.kind;
      return item;
    }));
  },
};

// --- small things ------------------------------------------------------------------------------------------------------------

function row(term, value) {
  return [make('dt', '', term), make('dd', '', value)];
}

function time(value) {
  const moment = new Date(value);
  const today = moment.toDateString() === new Date().toDateString();
  const element = make('time', '', moment.toLocaleString(undefined, today ? { timeStyle: 'short' } : { dateStyle: 'medium', timeStyle: 'short' }));
  element.dateTime = moment.toISOString();
  return element;
}

// deviceOf names browser and system of a User-Agent. The order matters: Edge calls itself Chrome, and Chrome calls itself Safari.
function deviceOf(agent = '') {
  const first = table => table.find(([pattern]) => pattern.test(agent))?.[1];
  const browser = first([[/Edg\//, 'Edge'], [/OPR\//, 'Opera'], [/Firefox\//, 'Firefox'], [/Chrome\//, 'Chrome'], [/Safari\//, 'Safari'], [/^curl\//, 'curl']]);
  const system = first([[/Android/, 'Android'], [/iPhone|iPad/, 'iOS'], [/Windows/, 'Windows'], [/Mac OS X/, 'macOS'], [/Linux/, 'Linux']]);
  if (browser && system) return `${browser} on ${system}`;
  return browser || system || agent.slice(0, 40) || 'Unknown device';
}

// --- start -------------------------------------------------------------------------------------------------------------------

const panels = kinds.map(spec => new Panel(spec));
document.querySelector('#panels').append(...panels.map(panel => panel.element));
notes.start();
proof.start();

// The back/forward cache keeps the page as it was left. It is left empty; the client looks after the session on the way back.
addEventListener('pagehide', ({ persisted }) => {
  if (persisted) for (const panel of panels) if (panel.account) panel.conceal();
});

const cookies = fetch('/api/session-cookies').then(response => response.json());
await Promise.all(panels.map(panel => panel.start(cookies)));
startTries(panels);
