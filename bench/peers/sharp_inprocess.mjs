// node sharp_inprocess.mjs THREADS: sharp without a server. Each line read from standard input is
// a pass: {photos, variants: [{size, format, options}], inFlight, folder}. Each variant is made from
// the one before, the largest first; with a folder, it is kept there as <photo>-<size>. What is
// written back are the seconds of the pass.
import fs from 'node:fs/promises';
import path from 'node:path';
import readline from 'node:readline';

process.env.UV_THREADPOOL_SIZE = process.argv[2]; // read when sharp starts, so set before it is loaded
const { default: sharp } = await import('sharp');
sharp.concurrency(1);
sharp.cache(false);

async function make(photo, { variants, folder }) {
  let source = sharp(photo).rotate();
  for (const { size, format, options } of variants) {
    const box = { width: size, height: size, fit: 'inside', withoutEnlargement: true, kernel: 'lanczos3' };
    const { data, info } = await source.resize(box).raw().toBuffer({ resolveWithObject: true });
    const raw = { raw: { width: info.width, height: info.height, channels: info.channels } };
    const file = await sharp(data, raw)[format](options).toBuffer();
    if (folder) await fs.writeFile(path.join(folder, `${path.parse(photo).name}-${size}`), file);
    source = sharp(data, raw);
  }
}

async function pass(wanted) {
  const todo = [...wanted.photos];
  const worker = async () => { while (todo.length) await make(todo.shift(), wanted); };
  const start = performance.now();
  await Promise.all(Array.from({ length: wanted.inFlight }, worker));
  return (performance.now() - start) / 1000;
}

for await (const line of readline.createInterface({ input: process.stdin })) console.log(await pass(JSON.parse(line)));
