// node sharp.mjs PORT: busboy and sharp, used well. The photo is decoded once, each variant is made
// from the one before, and POST /images answers when all three are stored: nobody has to poll.
// POST /upload stores a file and removes it, for the upload alone.
import crypto from 'node:crypto';
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import busboy from 'busboy';
import sharp from 'sharp';

const FOLDER = process.env.BENCH_FOLDER;
const SIZES = [1600, 800, 200];
// Plain Huffman tables, as Pillow writes them: optimising them costs time and is a choice of its own.
const JPEG = { quality: 82, chromaSubsampling: '4:2:0', optimiseCoding: false };
sharp.cache(false); // no photo comes twice in production, so none may profit from it here

async function receive(request) {
  const file = path.join(FOLDER, crypto.randomUUID());
  const form = busboy({ headers: request.headers });
  let stored;
  form.on('file', (_, part) => {
    stored = pipeline(part, fs.createWriteStream(file));
    stored.catch(() => {}); // a visitor who leaves breaks both pipelines; the other one reports it
  });
  await pipeline(request, form);
  await stored;
  return file;
}

async function makeVariants(file) {
  let source = sharp(file).rotate();
  for (const size of SIZES) {
    const box = { width: size, height: size, fit: 'inside', withoutEnlargement: true, kernel: 'lanczos3' };
    const { data, info } = await source.resize(box).raw().toBuffer({ resolveWithObject: true });
    const raw = { raw: { width: info.width, height: info.height, channels: info.channels } };
    await sharp(data, raw).jpeg(JPEG).toFile(`${file}_${size}.jpg`);
    source = sharp(data, raw);
  }
}

function answer(response, status, document) {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(document));
}

async function handle(request, response) {
  if (request.url === '/healthz') return answer(response, 200, { ok: true });
  if (request.url === '/upload') {
    const file = await receive(request);
    const { size } = await fs.promises.stat(file);
    await fs.promises.unlink(file);
    return answer(response, 200, { size_bytes: size });
  }
  if (request.url === '/images') {
    const file = await receive(request);
    await makeVariants(file);
    const id = path.basename(file);
    const variants = SIZES.map((size) => ({ name: `p${size}`, url: `/variants/${id}_${size}.jpg` }));
    return answer(response, 201, { id, status: 'ready', variants });
  }
  const variant = path.join(FOLDER, path.basename(request.url));
  const { size } = await fs.promises.stat(variant);
  response.writeHead(200, { 'content-type': 'image/jpeg', 'content-length': size });
  return pipeline(fs.createReadStream(variant), response);
}

http.createServer((request, response) => {
  handle(request, response).catch((error) => {
    console.error(error);
    response.destroy(error);
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
