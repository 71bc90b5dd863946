// Runs the services' reader over the ids of a file, a line each, as a service would write that loop:
//   node reader.mjs FLAG.json IDS
// Says how long the loop over the file took, and how long the same loop takes when the ids are in memory already.
import { createReadStream, readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { evaluate } from './feature-flags.mjs';

const [flagFile, idsFile] = process.argv.slice(2);
const flag = JSON.parse(readFileSync(flagFile, 'utf8'));
const isOn = (id) => evaluate(flag, 'new_matchmaking', id);
const seconds = (began) => Number(process.hrtime.bigint() - began) / 1e9;

for (let n = 0; n < 200_000; n += 1) isOn(`warm-${n}`);

let began = process.hrtime.bigint();
let ids = 0;
let on = 0;
for await (const id of createInterface({ input: createReadStream(idsFile), crlfDelay: Infinity })) {
  ids += 1;
  if (isOn(id)) on += 1;
}
const streamed = seconds(began);

const held = readFileSync(idsFile, 'utf8').trimEnd().split('\n');
began = process.hrtime.bigint();
let again = 0;
for (const id of held) if (isOn(id)) again += 1;
if (again !== on) throw new Error(`the two loops differ: ${on} and ${again}`);
console.log(JSON.stringify({ ids, on, seconds: streamed, bare_seconds: seconds(began) }));
