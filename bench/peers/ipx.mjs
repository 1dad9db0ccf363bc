// node ipx.mjs PORT: IPX, with the upload it does not have itself: PUT /<name>.jpg stores a photo,
// GET /<modifiers>/<name>.jpg is IPX's own, which makes the variant on each request.
import fs from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createIPX, createIPXNodeServer, ipxFSStorage } from 'ipx';

const FOLDER = process.env.BENCH_FOLDER;
const ipx = createIPXNodeServer(createIPX({ storage: ipxFSStorage({ dir: FOLDER }) }));

async function store(request, response) {
  await pipeline(request, fs.createWriteStream(path.join(FOLDER, path.basename(request.url))));
  response.writeHead(201).end();
}

http.createServer((request, response) => {
  if (request.url === '/healthz') return response.end('{"ok":true}');
  if (request.method !== 'PUT') return ipx(request, response);
  return store(request, response).catch((error) => {
    console.error(error);
    response.destroy(error);
  });
}).listen(Number(process.argv[2]), '127.0.0.1');
