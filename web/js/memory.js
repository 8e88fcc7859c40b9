/**
 * What survives a visit to the Webview, which is another page: who was signed in (demo only), the language, which
 * operations this person still follows and which visit is under way. Never a token, never bank data. Storage may be
 * refused by the browser; the page then simply forgets.
 */

const PREFIX = 'synced-accounts.';
/** @typedef {'localStorage'|'sessionStorage'} Kind */
/** @type {Kind[]} */
const KINDS = ['localStorage', 'sessionStorage'];

/** @param {Kind} kind @returns {Storage|null} */
function area(kind) {
  try {
    return window[kind];
  } catch {
    return null; // a browser that refuses storage throws on the mere mention of it
  }
}

function read(kind, name) {
  try {
    return JSON.parse(area(kind)?.getItem(PREFIX + name) ?? 'null');
  } catch {
    return null; // somebody else's or an older page's words: as good as none
  }
}

function write(kind, name, value) {
  try {
    if (value === null) area(kind)?.removeItem(PREFIX + name);
    else area(kind)?.setItem(PREFIX + name, JSON.stringify(value));
  } catch {
    return false; // full or refused: the page works without
  }
  return true;
}

const VISIT_LASTS_MS = 30 * 60 * 1000; // as long as the address of a Webview session can be used

export const memory = {
  /** Whoever it was: only the language stays. */
  forget() {
    for (const kind of KINDS) {
      const names = Object.keys(area(kind) ?? {}).filter((name) => name.startsWith(PREFIX));
      for (const name of names) if (name !== `${PREFIX}language`) write(kind, name.slice(PREFIX.length), null);
    }
  },

  get language() { return read('localStorage', 'language'); },
  set language(value) { write('localStorage', 'language', value); },

  get demoUser() { return read('sessionStorage', 'demo-user'); },
  set demoUser(value) { write('sessionStorage', 'demo-user', value); },

  /** Shows, with the person’s token, that they came back from Powens. It survives signing in, and is of this tab. */
  get returnCode() { return read('sessionStorage', 'return-code'); },
  set returnCode(value) { write('sessionStorage', 'return-code', value); },

  /**
   * @returns {{user: string, flow: string, connectionId: string|null, institution: string|null,
   *   synchronised: object|null, at: number}|null}
   */
  visit(user) {
    const visit = read('localStorage', 'visit');
    return visit && visit.user === user && Date.now() - visit.at < VISIT_LASTS_MS ? visit : null;
  },
  startVisit(visit) { write('localStorage', 'visit', { ...visit, at: Date.now() }); },
  endVisit() { write('localStorage', 'visit', null); },

  /** @returns {string|null} the operation of an erasure that this person has asked for */
  erasure(user) { return read('localStorage', 'erasure')?.[user] ?? null; },
  setErasure(user, operationId) { write('localStorage', 'erasure', operationId && { [user]: operationId }); },

  /** @returns {Record<string, string>} connection id -> operation id */
  operations(user) { return read('localStorage', 'operations')?.[user] ?? {}; },
  setOperation(user, connectionId, operationId) {
    const all = read('localStorage', 'operations') ?? {};
    const own = { ...all[user] };
    if (operationId === null) delete own[connectionId];
    else own[connectionId] = operationId;
    write('localStorage', 'operations', { ...all, [user]: own });
  },
};
