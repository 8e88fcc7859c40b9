/** Words from the texts in locales/, and amounts, dates and plurals by Intl. French when nothing is known. */

export const LANGUAGES = ['fr', 'en'];

/** Each in its own language. */
export const LANGUAGE_NAMES = { fr: 'Français', en: 'English' };

/** The API's account types, in the order in which they are offered. */
export const ACCOUNT_TYPES = [
  'checking', 'card', 'savings', 'securities', 'life_insurance', 'employee_savings', 'loan', 'crypto', 'other',
];

/** @param {string|null} chosen by the switch @param {readonly string[]} browser languages, best first */
export function pickLanguage(chosen, browser) {
  if (LANGUAGES.includes(chosen)) return chosen;
  return browser.map((tag) => tag.slice(0, 2).toLowerCase()).find((tag) => LANGUAGES.includes(tag)) ?? 'fr';
}

// What turns the direction of a text: letters written from right to left, and signs that force a direction.
const TURNS = /[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufeff]/;

/** A name inside a sentence: whichever way it is written, the words around it keep their order. */
const isolated = (text) => (TURNS.test(text) ? `\u2068${text}\u2069` : text);

/** The currencies of ISO 4217. Intl takes any three letters for one with two decimals, so also a crypto-asset's. */
const CURRENCIES = new Set(Intl.supportedValuesOf('currency'));

/** @type {[Intl.RelativeTimeFormatUnit, number][]} */
const UNITS = [['year', 31536000], ['month', 2592000], ['day', 86400], ['hour', 3600], ['minute', 60]];

export class Words {
  #catalogue;
  #plurals;
  #money = new Map();

  static async load(language) {
    const response = await fetch(`locales/${language}.json`);
    if (!response.ok) throw new Error(`no catalogue for ${language}`);
    return new Words(language, await response.json());
  }

  constructor(language, catalogue) {
    // The browser's own region (fr-CA, en-GB) refines dates and amounts when it is the same language.
    this.language = language;
    this.locale = navigator.languages.find((tag) => tag.slice(0, 2).toLowerCase() === language) ?? language;
    this.#catalogue = catalogue;
    this.#plurals = new Intl.PluralRules(this.locale);
    this.numbers = new Intl.NumberFormat(this.locale);
    this.decimals = new Intl.NumberFormat(this.locale, { useGrouping: false, maximumFractionDigits: 18 });
    this.decimalMark = this.decimals.formatToParts(0.5).find((part) => part.type === 'decimal').value;
    this.example = new Intl.NumberFormat(this.locale, { minimumFractionDigits: 2 }).format(1250.5);
    this.moments = new Intl.DateTimeFormat(this.locale, { dateStyle: 'long', timeStyle: 'short' });
    this.days = new Intl.DateTimeFormat(this.locale, { dateStyle: 'long' });
    this.times = new Intl.DateTimeFormat(this.locale, { timeStyle: 'short' });
    this.weekdays = new Intl.DateTimeFormat(this.locale, {
      weekday: 'long', day: 'numeric', month: 'long', year: 'numeric',
    });
    this.relatives = new Intl.RelativeTimeFormat(this.locale, { numeric: 'auto' });
    this.lists = new Intl.ListFormat(this.locale);
  }

  has(key) {
    return key in this.#catalogue;
  }

  /** The text of `key` with {placeholders} filled; `count` picks the plural form and fills {count}. */
  t(key, values = {}) {
    let text = this.#catalogue[key];
    if (text === undefined) return key;
    if (typeof text === 'object') text = text[this.#plurals.select(values.count)] ?? text.other;
    return text.replace(/\{(\w+)\}/g, (_, name) => {
      const value = values[name];
      return typeof value === 'number' ? this.numbers.format(value) : isolated(String(value ?? ''));
    });
  }

  /** What an account is: by the name of the product where Powens tells it, else by its type. */
  product({ type, provider_type: product, currency }) {
    if (this.has(`product.${product}`)) return this.t(`product.${product}`);
    // Powens has no type for a crypto-asset: its currency tells it.
    const shown = type === 'other' && currency && !CURRENCIES.has(currency) ? 'crypto' : type;
    return this.t(this.has(`type.${shown}`) ? `type.${shown}` : 'type.other');
  }

  /** With the digits that the currency has: the cents of euros, none of yens, what there is of a crypto-asset. */
  money(amount, currency) {
    if (!this.#money.has(currency)) this.#money.set(currency, this.#moneyFormat(currency));
    return this.#money.get(currency)(amount);
  }

  /** Decimal strings are formatted exactly. */
  #moneyFormat(currency) {
    if (CURRENCIES.has(currency)) {
      const format = new Intl.NumberFormat(this.locale, { style: 'currency', currency });
      return (amount) => format.format(amount);
    }
    const number = new Intl.NumberFormat(this.locale, {
      maximumFractionDigits: 8, maximumSignificantDigits: 3, roundingPriority: 'morePrecision',
    });
    return (amount) => `${number.format(amount)}\u00a0${currency}`;
  }

  /** A decimal string as somebody would type it. */
  plain(amount) {
    return this.decimals.format(amount);
  }

  /** "il y a 3 minutes", "dans 6 jours", "à l'instant". */
  relative(moment, now = Date.now()) {
    const seconds = (new Date(moment).getTime() - now) / 1000;
    for (const [unit, size] of UNITS) {
      if (Math.abs(seconds) >= size) return this.relatives.format(Math.trunc(seconds / size), unit);
    }
    return this.t('time.now');
  }
}
