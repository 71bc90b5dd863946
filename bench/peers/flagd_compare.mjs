// Asks flagd's engine and the services' reader about the same flags and contexts:
//   node flagd_compare.mjs FLAGD.json FLAGS.json CONTEXTS.json READER SAID.json
import { readFileSync } from 'node:fs';
import { FlagdCore } from '@openfeature/flagd-core';
import { evaluate } from './feature-flags.mjs';

const [definitionsFile, flagsFile, contextsFile, reader, saidFile] = process.argv.slice(2);
const read = (file) => JSON.parse(readFileSync(file, 'utf8'));
const silent = { error() {}, warn() {}, info() {}, debug() {} };
const core = new FlagdCore(undefined, silent);
core.setConfigurations(readFileSync(definitionsFile, 'utf8'));
const definitions = read(definitionsFile).flags;
const flags = read(flagsFile);
const contexts = read(contextsFile);
const said = read(saidFile);

const flagd = (name, context) => {
  const answers = [true, false].map((fallback) => {
    try {
      const found = core.resolveBooleanEvaluation(name, fallback, context, silent);
      return found.errorCode ? fallback : (found.value ?? fallback);
    } catch {
      return fallback;
    }
  });
  // Where the caller's own default decides, flagd has no answer.
  return answers[0] === answers[1] ? answers[0] : undefined;
};

const report = { flags: Object.keys(flags).length, pairs: 0, said: 0, silent: 0, examples: [] };
for (const [name, flag] of Object.entries(flags)) {
  for (const context of contexts) {
    const theirs = flagd(name, context);
    if (theirs === undefined) continue;
    report.pairs += 1;
    const { targetingKey, ...attributes } = context;
    const ours = evaluate(flag, name, targetingKey, attributes, reader);
    if (ours === theirs) continue;
    if ((said[name] ?? []).length) {
      report.said += 1;
      continue;
    }
    report.silent += 1;
    const seen = report.examples.some((example) => example.name === name);
    if (!seen && report.examples.length < 12) report.examples.push({ name, definition: definitions[name], flag, context, flagd: theirs, ours });
  }
}
console.log(JSON.stringify(report));
