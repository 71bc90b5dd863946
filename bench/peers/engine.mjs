// Asks one flag engine about every id of a file, and prints what it answered and how long the loop alone took:
//   node engine.mjs flagd|unleash|growthbook IDS
// The ids are in memory before the clock starts, the engine is warm, its loggers and events are off.
import { readFileSync } from 'node:fs';

const PERCENT = 10;

const engines = {
  async flagd() {
    const { FlagdCore } = await import('@openfeature/flagd-core');
    const silent = { error() {}, warn() {}, info() {}, debug() {} };
    const core = new FlagdCore(undefined, silent);
    core.setConfigurations(
      JSON.stringify({
        flags: {
          f: {
            state: 'ENABLED',
            variants: { on: true, off: false },
            defaultVariant: 'off',
            targeting: { fractional: [['on', PERCENT], ['off', 100 - PERCENT]] },
          },
        },
      }),
    );
    return (id) => core.resolveBooleanEvaluation('f', false, { targetingKey: id }, silent).value;
  },

  async unleash() {
    const { Unleash } = await import('unleash-client');
    const unleash = new Unleash({
      appName: 'bench',
      url: 'http://127.0.0.1:1/api',
      disableMetrics: true,
      disableAutoStart: true,
      refreshInterval: 0,
      bootstrap: {
        data: [
          {
            name: 'f',
            enabled: true,
            strategies: [
              {
                name: 'flexibleRollout',
                parameters: { rollout: String(PERCENT), stickiness: 'userId', groupId: 'f' },
                constraints: [],
              },
            ],
            variants: [],
          },
        ],
      },
    });
    unleash.on('error', () => {});
    unleash.on('warn', () => {});
    await unleash.start().catch(() => {});
    return (id) => unleash.isEnabled('f', { userId: id });
  },

  async growthbook() {
    const { GrowthBookClient } = await import('@growthbook/growthbook');
    const client = new GrowthBookClient().initSync({
      payload: {
        features: {
          f: {
            defaultValue: false,
            rules: [
              { force: true, coverage: PERCENT / 100, hashAttribute: 'id', seed: 'f', hashVersion: 2 },
            ],
          },
        },
      },
    });
    return (id) => client.isOn('f', { attributes: { id } });
  },
};

const [name, file] = process.argv.slice(2);
const ids = readFileSync(file, 'utf8').trimEnd().split('\n');
const isOn = await engines[name]();
for (const id of ids.slice(0, 50_000)) isOn(id);

const began = process.hrtime.bigint();
let on = 0;
for (const id of ids) if (isOn(id)) on += 1;
const seconds = Number(process.hrtime.bigint() - began) / 1e9;
console.log(JSON.stringify({ ids: ids.length, on, seconds }));
process.exit(0);
