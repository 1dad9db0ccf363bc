// node sharp_inprocess.mjs WORKERS PHOTO...: sharp without a server. Each line read from standard
// input is one pass over the photos with WORKERS of them in flight; its photos/s are written back.
import readline from 'node:readline';

const [workers, ...photos] = process.argv.slice(2);
process.env.UV_THREADPOOL_SIZE = workers; // read when sharp starts, so set before it is loaded
const { default: sharp } = await import('sharp');
sharp.concurrency(1);
sharp.cache(false);
const JPEG = { quality: 82, chromaSubsampling: '4:2:0', optimiseCoding: false };

async function variants(photo) {
  let source = sharp(photo).rotate();
  for (const size of [1600, 800, 200]) {
    const box = { width: size, height: size, fit: 'inside', withoutEnlargement: true, kernel: 'lanczos3' };
    const { data, info } = await source.resize(box).raw().toBuffer({ resolveWithObject: true });
    const raw = { raw: { width: info.width, height: info.height, channels: info.channels } };
    await sharp(data, raw).jpeg(JPEG).toBuffer();
    source = sharp(data, raw);
  }
}

async function pass() {
  const todo = [...photos];
  const worker = async () => { while (todo.length) await variants(todo.shift()); };
  const start = performance.now();
  await Promise.all(Array.from({ length: Number(workers) }, worker));
  return photos.length / (performance.now() - start) * 1000;
}

for await (const _ of readline.createInterface({ input: process.stdin })) console.log(await pass());
