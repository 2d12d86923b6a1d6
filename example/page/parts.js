// Small parts that the scripts of the page share. Data reaches the document as text only.

// make builds an element; children that are strings become text, never markup.
export function make(tag, className = '', ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children);
  return element;
}

// say shows a sentence in a live region; tone is 'good', 'bad' or ''.
export function say(element, sentence, tone = '') {
  element.textContent = sentence;
  element.className = `message ${tone}`;
}

// answer says what came of a button, next to it, and scrolls there if it is out of sight.
export function answer(element, sentence, tone) {
  say(element, sentence, tone);
  element.scrollIntoView({ block: 'nearest' });
}

// sentenceOf is what to tell a person about an error.
export function sentenceOf(error) {
  if (error.status === 429) return `Too many attempts. Try again in ${inWords(error.retryAfter)}.`;
  if (error.status) return error.message;
  return 'The server cannot be reached. Is it still running?';
}

function inWords(seconds) {
  if (!(seconds > 0)) return 'a moment';
  if (seconds < 90) return seconds === 1 ? 'a second' : `${seconds} seconds`;
  return `${Math.ceil(seconds / 60)} minutes`;
}

export const sleep = milliseconds => new Promise(done => { setTimeout(done, milliseconds); });

// Tabs is a BroadcastChannel that is closed while the page is in the back/forward cache, where a message would remove the page.
export class Tabs extends EventTarget {
  #channel;

  constructor(name) {
    super();
    const open = () => {
      this.#channel = new BroadcastChannel(`fiberjwt example: ${name}`);
      this.#channel.onmessage = ({ data }) => this.dispatchEvent(new MessageEvent('message', { data }));
    };
    open();
    addEventListener('pagehide', () => {
      this.#channel.close();
      this.#channel = null;
    });
    addEventListener('pageshow', ({ persisted }) => persisted && open());
  }

  postMessage(data) {
    this.#channel?.postMessage(data);
  }
}
