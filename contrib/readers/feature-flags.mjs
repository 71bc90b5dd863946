// A reader of liveops' feature flags for game services. No dependencies; copy it, or import it.
//
//   import { createClient } from 'redis';
//   import { FeatureFlags } from './feature-flags.mjs';
//
//   const redis = await createClient({ url }).connect();
//   const notices = await redis.duplicate().connect();
//   const flags = new FeatureFlags({
//     load: (name) => redis.hGet('feature_flags', name),
//     subscribe: (changed) => notices.subscribe('feature_flags:changes', changed),
//     reader: 'v2',
//   });
//   if (await flags.isEnabled('new_matchmaking', user.id, { region: 'eu', client: '1.4.2' })) …
//
// Two readers, which differ in order and in how a percentage picks users:
//   legacy-v1  enabled → percentage → allowlist → blocklist → rules → defaultValue. All flags hit the same users first.
//   v2         enabled → blocklist → allowlist → rules → percentage, salted for each flag → defaultValue. A member of a
//              wrong type makes the whole flag off.
// `liveops flag explain` says what each of them decides, and why. golden.json holds the values that both must give.

/** Users without an id are this one, in the choice of a bucket. */
export const ANONYMOUS = 'anonymous';

/** The bucket of `legacy-v1`, 0 to 99, the same for every flag. */
export function legacyBucket(userId) {
  let hash = 0;
  for (let at = 0; at < userId.length; at += 1) {
    hash = (hash << 5) - hash + userId.charCodeAt(at);
    hash |= 0;
  }
  return Math.abs(hash) % 100;
}

const utf8 = new TextEncoder();

/** murmur3, 32 bits, x86, seed 0, of the text's UTF-8 bytes. */
export function murmur3(text) {
  const bytes = utf8.encode(text);
  const scramble = (word) => {
    const mixed = Math.imul(word, 0xcc9e2d51);
    return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
  };
  const whole = bytes.length & ~3;
  let hash = 0;
  for (let at = 0; at < whole; at += 4) {
    hash ^= scramble(bytes[at] | (bytes[at + 1] << 8) | (bytes[at + 2] << 16) | (bytes[at + 3] << 24));
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  let tail = 0;
  for (let at = bytes.length - 1; at >= whole; at -= 1) tail = (tail << 8) | bytes[at];
  hash ^= scramble(tail) ^ bytes.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/** The bucket of `v2`, 0 to 99 999. The salt is the flag's `salt`, or its name. */
export function v2Bucket(salt, userId) {
  return Math.floor((murmur3(`${salt}:${userId || ANONYMOUS}`) * 100000) / 4294967296);
}

/**
 * Is the flag on for this user? `flag` is the parsed JSON, or null when there is none. `undefined` means that it cannot
 * be told: a rule, or `rules` itself, is of another shape. Under `legacy-v1` a list that is no array throws.
 */
export function evaluate(flag, name, userId, attributes = {}, reader = 'legacy-v1') {
  if (!flag) return false;
  return reader === 'v2' ? v2(flag, name, userId, attributes) : legacyV1(flag, userId, attributes);
}

function legacyV1(flag, userId, attributes) {
  if (!flag.enabled) return false;
  if (flag.percentage < 100 && legacyBucket(userId || ANONYMOUS) >= flag.percentage) return false;
  if (flag.allowlist?.includes(userId)) return true;
  if (flag.blocklist?.includes(userId)) return false;
  const ruled = byRules(flag.rules, attributes);
  return ruled === null ? Boolean(flag.defaultValue) : ruled;
}

function v2(flag, name, userId, attributes) {
  if (!isFit(flag) || !flag.enabled) return false;
  const id = userId === undefined || userId === null ? '' : String(userId);
  const has = (list) => list?.some((listed) => (typeof listed === 'number' ? String(listed) : listed) === id);
  if (has(flag.blocklist)) return false;
  if (has(flag.allowlist)) return true;
  const ruled = byRules(flag.rules, attributes);
  if (ruled !== null) return ruled;
  if (flag.percentage < 100 && v2Bucket(flag.salt ?? name, id) >= flag.percentage * 1000) return false;
  return Boolean(flag.defaultValue);
}

/** Has every member the type that it must have? */
function isFit(flag) {
  const is = (type) => (value) => typeof value === type;
  const fits = (name, test) => flag[name] === undefined || test(flag[name]);
  const orNull = (test) => (value) => value === null || test(value);
  return (
    typeof flag === 'object' &&
    !Array.isArray(flag) &&
    fits('enabled', is('boolean')) &&
    fits('defaultValue', is('boolean')) &&
    fits('salt', orNull(is('string'))) &&
    fits('percentage', (value) => typeof value === 'number' && value >= 0 && value <= 100) &&
    ['allowlist', 'blocklist', 'rules'].every((name) => fits(name, orNull(Array.isArray)))
  );
}

/** The `enabled` of the first rule that matches; null when none does, undefined when it cannot be told. */
function byRules(rules, attributes) {
  if (rules === undefined || rules === null) return null;
  if (!Array.isArray(rules)) return undefined;
  for (const rule of rules) {
    const conditions = conditionsOf(rule);
    if (!conditions) return undefined;
    const matched = all(conditions, attributes);
    if (matched === undefined) return undefined;
    if (matched) return rule.enabled;
  }
  return null;
}

const REMARKS = ['id', 'name', 'description', 'comment'];
const CONDITION = ['attribute', 'operator', 'values', 'value'];
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const only = (value, names) => Object.keys(value).every((key) => names.includes(key) || REMARKS.includes(key));

/** The conditions of a rule of a known shape. */
function conditionsOf(rule) {
  if (!isObject(rule) || typeof rule.enabled !== 'boolean') return undefined;
  if (rule.all === undefined) return only(rule, [...CONDITION, 'enabled']) && isCondition(rule) ? [rule] : undefined;
  const known =
    Array.isArray(rule.all) &&
    only(rule, ['all', 'enabled']) &&
    rule.all.every((condition) => isObject(condition) && only(condition, CONDITION) && isCondition(condition));
  return known ? rule.all : undefined;
}

function isCondition({ attribute, operator, values, value }) {
  if (typeof attribute !== 'string' || typeof operator !== 'string' || !Object.hasOwn(OPERATORS, operator)) return false;
  if ((values === undefined) === (value === undefined)) return false;
  const list = values === undefined ? [value] : values;
  return Array.isArray(list) && list.every((one) => ['string', 'number', 'boolean'].includes(typeof one));
}

function all(conditions, attributes) {
  let found = true;
  for (const { attribute, operator, values, value } of conditions) {
    const given = Object.hasOwn(attributes, attribute) ? attributes[attribute] : undefined;
    const holds = OPERATORS[operator](given, values ?? [value]);
    if (holds === false) return false;
    if (holds === undefined) found = undefined;
  }
  return found;
}

/** One of the values fits. A missing attribute fits none, so that `ne` and `not_in` hold for it. */
const any = (fits) => (given, values) => given !== undefined && values.some((value) => fits(given, value));
const not = (test) => (given, values) => !test(given, values);
const numbers = (test) => any((given, value) => compared(given, value, test));
const texts = (test) => any((given, value) => typeof given === 'string' && typeof value === 'string' && test(given, value));
const versions = (test) =>
  texts((given, value) => {
    const order = versionOrder(given, value);
    return order !== undefined && test(order);
  });

const OPERATORS = {
  eq: any(same),
  ne: not(any(same)),
  in: any(same),
  not_in: not(any(same)),
  lt: numbers((a, b) => a < b),
  lte: numbers((a, b) => a <= b),
  gt: numbers((a, b) => a > b),
  gte: numbers((a, b) => a >= b),
  starts_with: texts((a, b) => a.startsWith(b)),
  ends_with: texts((a, b) => a.endsWith(b)),
  contains: any((given, value) =>
    Array.isArray(given)
      ? given.some((element) => same(element, value))
      : typeof given === 'string' && typeof value === 'string' && given.includes(value),
  ),
  matches: matchesPattern,
  semver_lt: versions((order) => order < 0),
  semver_gte: versions((order) => order >= 0),
};

/** Equal; a text that is written as a number or a boolean is taken for it, since attributes come from headers too. */
function same(given, value) {
  if (typeof given === typeof value) return given === value;
  if (typeof given === 'boolean') return typeof value === 'string' && value === String(given);
  if (typeof value === 'boolean') return typeof given === 'string' && given === String(value);
  return compared(given, value, (a, b) => a === b);
}

function compared(given, value, test) {
  const [a, b] = [numeral(given), numeral(value)];
  return !Number.isNaN(a) && !Number.isNaN(b) && test(a, b);
}

function numeral(value) {
  if (typeof value === 'number') return value;
  return typeof value === 'string' && value.trim() !== '' ? Number(value) : Number.NaN;
}

function matchesPattern(given, values) {
  if (typeof given !== 'string') return false;
  let found = false;
  for (const value of values) {
    try {
      if (typeof value !== 'string') found = undefined;
      else if (new RegExp(value).test(given)) return true;
    } catch {
      found = undefined;
    }
  }
  return found;
}

const VERSION = /^v?(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+([0-9A-Za-z.-]+))?$/;
const NUMERIC = /^(?:0|[1-9]\d*)$/;
const LARGEST = 2n ** 64n - 1n;

/** semver.org; a missing minor or patch is 0, and build metadata does not count. */
function readVersion(text) {
  const found = VERSION.exec(text);
  if (!found) return undefined;
  const core = found.slice(1, 4).map((part) => part ?? '0');
  if (!core.every((part) => NUMERIC.test(part) && BigInt(part) <= LARGEST)) return undefined;
  const pre = found[4]?.split('.') ?? [];
  const sound = (part) => part !== '' && (NUMERIC.test(part) || !/^\d+$/.test(part));
  if (!pre.every(sound) || found[5]?.split('.').includes('')) return undefined;
  return { core: core.map(BigInt), pre };
}

function versionOrder(left, right) {
  const [a, b] = [readVersion(left), readVersion(right)];
  if (!a || !b) return undefined;
  for (let at = 0; at < 3; at += 1) if (a.core[at] !== b.core[at]) return a.core[at] < b.core[at] ? -1 : 1;
  if (a.pre.length === 0 || b.pre.length === 0) return Math.sign(b.pre.length - a.pre.length);
  for (let at = 0; at < Math.min(a.pre.length, b.pre.length); at += 1) {
    const [x, y] = [a.pre[at], b.pre[at]];
    if (x === y) continue;
    const [xNumber, yNumber] = [NUMERIC.test(x), NUMERIC.test(y)];
    if (xNumber !== yNumber) return xNumber ? -1 : 1;
    if (xNumber && x.length !== y.length) return x.length < y.length ? -1 : 1;
    return x < y ? -1 : 1;
  }
  return Math.sign(a.pre.length - b.pre.length);
}

/**
 * Flags with a cache. A flag is fetched again when it is older than `ttl` (30 s), or when a notice says that it changed.
 *
 * load(name)        the flag's JSON text, or null; a promise. The only thing that is required.
 * subscribe(notice) called once; call `notice(name)` when a flag changed, or `notice()` when any may have. Notices may get
 *                   lost: the ttl stays the promise.
 * onError(error, name) a flag could not be fetched or read. Meanwhile the last known value counts; without one it is off.
 */
export class FeatureFlags {
  #load;
  #reader;
  #ttl;
  #now;
  #onError;
  #cache = new Map();

  constructor({ load, subscribe, reader = 'legacy-v1', ttl = 30_000, onError = () => {}, now = Date.now }) {
    if (reader !== 'legacy-v1' && reader !== 'v2') throw new TypeError(`there is no reader ${reader}`);
    this.#load = load;
    this.#reader = reader;
    this.#ttl = ttl;
    this.#now = now;
    this.#onError = onError;
    subscribe?.((name) => this.#forget(name));
  }

  /** Is the flag on for this user? What cannot be told, or fails, is off. */
  async isEnabled(name, userId, attributes = {}) {
    const flag = await this.#get(name);
    try {
      return evaluate(flag, name, userId, attributes, this.#reader) === true;
    } catch (error) {
      this.#onError(error, name);
      return false;
    }
  }

  #forget(name) {
    const known = name === undefined ? [...this.#cache.values()] : [this.#cache.get(name)];
    for (const entry of known) {
      if (entry) Object.assign(entry, { until: -Infinity, loading: undefined, turn: entry.turn + 1 });
    }
  }

  async #get(name) {
    let entry = this.#cache.get(name);
    if (!entry) {
      entry = { flag: null, until: -Infinity, loading: undefined, turn: 0 };
      this.#cache.set(name, entry);
    }
    if (this.#now() < entry.until) return entry.flag;
    // However many ask at once, one fetch answers them.
    entry.loading ??= this.#fetch(name, entry);
    return entry.loading;
  }

  async #fetch(name, entry) {
    const { turn } = entry;
    try {
      const text = await this.#load(name);
      const flag = text === null || text === undefined ? null : JSON.parse(text);
      // After a notice that came meanwhile this answer may be the old one: the next who asks fetches again.
      if (entry.turn === turn) Object.assign(entry, { flag, until: this.#now() + this.#ttl });
      return flag;
    } catch (error) {
      this.#onError(error, name);
      return entry.flag;
    } finally {
      if (entry.turn === turn) entry.loading = undefined;
    }
  }
}
