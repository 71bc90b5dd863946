// node --test contrib/readers
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

import { FeatureFlags, evaluate, legacyBucket, murmur3, v2Bucket } from './feature-flags.mjs';

const golden = JSON.parse(readFileSync(new URL('golden.json', import.meta.url), 'utf8'));

test('hashes and buckets are the golden ones', () => {
  for (const [text, hash] of Object.entries(golden.murmur3)) assert.equal(murmur3(text), hash, text);
  for (const { id, legacy, v2 } of golden.buckets) {
    assert.equal(legacyBucket(id), legacy, id);
    assert.equal(v2Bucket('new_matchmaking', id), v2, id);
  }
});

test('answers are the golden ones', () => {
  for (const { why, flag, user, attributes, ...expected } of golden.cases) {
    for (const [reader, word] of [['legacy-v1', 'legacy'], ['v2', 'v2']]) {
      let found;
      try {
        found = evaluate(JSON.parse(flag), 'new_matchmaking', user, attributes, reader) ?? 'unknown';
      } catch {
        found = 'unknown';
      }
      assert.equal(found, expected[word], `${why} (${reader}): ${flag}`);
    }
  }
});

test('v2 takes a number for its text, legacy-v1 puts it into bucket 0', () => {
  const flag = { enabled: true, percentage: 1, allowlist: ['12345'], defaultValue: true };
  assert.equal(evaluate({ ...flag, allowlist: [] }, 'f', 12345), true);
  assert.equal(evaluate({ ...flag, percentage: 0 }, 'f', 12345, {}, 'v2'), true);
});

function store(text) {
  const calls = [];
  const state = { text, now: 0, fail: false };
  const load = async (name) => {
    calls.push(name);
    if (state.fail) throw new Error('no connection');
    return state.text;
  };
  return { calls, state, load, now: () => state.now };
}

const ON = '{"enabled":true,"percentage":100,"defaultValue":true}';
const OFF = '{"enabled":false}';

test('a flag is fetched once in 30 s, however many ask', async () => {
  const { calls, state, load, now } = store(ON);
  const flags = new FeatureFlags({ load, now });
  assert.deepEqual(await Promise.all([1, 2, 3].map(() => flags.isEnabled('f', 'u'))), [true, true, true]);
  state.text = OFF;
  state.now = 29_999;
  assert.equal(await flags.isEnabled('f', 'u'), true);
  assert.deepEqual(calls, ['f']);
  state.now = 30_000;
  assert.equal(await flags.isEnabled('f', 'u'), false);
  assert.deepEqual(calls, ['f', 'f']);
});

test('a notice makes the next question fetch, also while an old answer is on its way', async () => {
  let notice;
  const { state, now } = store();
  const pending = [];
  const load = () => new Promise((resolve) => pending.push(resolve));
  const flags = new FeatureFlags({ load, now, subscribe: (changed) => (notice = changed) });
  const first = flags.isEnabled('f', 'u');
  notice('f');
  const second = flags.isEnabled('f', 'u');
  pending[1](OFF);
  assert.equal(await second, false);
  pending[0](ON);
  await first;
  assert.equal(await flags.isEnabled('f', 'u'), false, 'the old answer must not win');
  notice();
  const third = flags.isEnabled('f', 'u');
  pending[2](ON);
  assert.equal(await third, true);
  assert.equal(state.now, 0);
});

test('while the store is down the last known value counts', async () => {
  const { state, load, now } = store(ON);
  const errors = [];
  const flags = new FeatureFlags({ load, now, onError: (error, name) => errors.push(`${name}: ${error.message}`) });
  assert.equal(await flags.isEnabled('f', 'u'), true);
  Object.assign(state, { now: 60_000, fail: true });
  assert.equal(await flags.isEnabled('f', 'u'), true);
  assert.equal(await flags.isEnabled('g', 'u'), false);
  assert.deepEqual(errors, ['f: no connection', 'g: no connection']);
});

test('what is missing, broken or unknown is off', async () => {
  for (const text of [null, undefined, '{broken', '{"enabled":true,"allowlist":{},"defaultValue":true}', '{"enabled":true,"rules":[{"if":1}],"defaultValue":true}']) {
    const flags = new FeatureFlags({ load: async () => text });
    assert.equal(await flags.isEnabled('f', 'u'), false, text);
  }
  assert.throws(() => new FeatureFlags({ load: async () => null, reader: 'v3' }), TypeError);
});
