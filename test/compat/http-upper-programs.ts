// Programs for node:http as programs use it, with nothing handed in: agents, bodies, CONNECT,
// every timeout of the server.

import * as http from 'node:http';
import * as net from 'node:net';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { settled, type Transcript } from './transcript.ts';
import { ask, listening, once, stop, text, type WebProgram } from './web.ts';

async function site(
  t: Transcript,
  serve: http.RequestListener,
  options: http.ServerOptions = {},
): Promise<{ server: http.Server; port: number }> {
  const server = http.createServer(options, serve);
  return { server, port: await listening(server, t) };
}

export const httpUpperPrograms: Record<string, WebProgram> = {
  'an agent queues what is over maxSockets': async (t) => {
    const { server, port } = await site(t, (req, res) => res.end(req.url));
    const agent = new http.Agent({ keepAlive: true, maxSockets: 2, maxFreeSockets: 1 });
    const sockets = new Set<net.Socket>();
    const all = Array.from({ length: 6 }, (_, i) => ask({ port, agent, path: `/${i}` }));
    t.log(Object.values(agent.sockets).flat().length, Object.values(agent.requests).flat().length);
    for (const answer of await Promise.all(all)) {
      sockets.add(answer.socket);
      t.log(answer.body, answer.headers.connection);
    }
    await settled(20);
    t.log(sockets.size, Object.values(agent.freeSockets).flat().length);
    agent.destroy();
    await stop(server);
  },

  'an agent’s free socket that the server closes is replaced': async (t) => {
    const { server, port } = await site(t, (req, res) => res.end(req.url));
    const agent = new http.Agent({ keepAlive: true });
    const first = await ask({ port, agent, path: '/1' });
    await settled(5);
    const closed = once(first.socket, 'close');
    server.closeAllConnections();
    await closed;
    const second = await ask({ port, agent, path: '/2' });
    t.log(second.body, second.reused, second.socket === first.socket);
    agent.destroy();
    await stop(server);
  },

  'the last of keepAliveTimeout closes an idle connection': async (t) => {
    const { server, port } = await site(t, (_req, res) => res.end('ok'));
    server.keepAliveTimeout = 60;
    const agent = new http.Agent({ keepAlive: true });
    const answer = await ask({ port, agent });
    t.log(answer.headers['keep-alive'], answer.headers.connection);
    await once(answer.socket, 'close');
    t.log('closed', answer.socket.destroyed);
    agent.destroy();
    await stop(server);
  },

  'Expect: 100-continue holds the body back': async (t) => {
    const { server, port } = await site(t, (_req, res) => res.end('plain'));
    server.on('checkContinue', async (req, res) => {
      t.log('server: asked', req.headers.expect);
      res.writeContinue();
      const body = await text(req);
      res.end(`got ${body}`);
    });
    const request = http.request({
      port,
      host: '127.0.0.1',
      method: 'PUT',
      headers: { Expect: '100-continue' },
    });
    request.flushHeaders();
    await once(request, 'continue');
    request.end('the body');
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    t.log('client: ', response.statusCode, await text(response));
    await stop(server);
  },

  '103 early hints and trailers': async (t) => {
    const { server, port } = await site(t, (_req, res) => {
      res.writeEarlyHints({ link: '</a.css>; rel=preload' });
      res.writeHead(200, { Trailer: 'x-sum', 'Transfer-Encoding': 'chunked' });
      res.write('body');
      res.addTrailers({ 'x-sum': '42' });
      res.end();
    });
    const request = http.get({ port, host: '127.0.0.1' });
    request.on('information', (info) => t.log('information', info.statusCode, info.headers.link));
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    t.log(await text(response), response.trailers);
    await stop(server);
  },

  'a body streams up with back-pressure': async (t) => {
    const { server, port } = await site(t, async (req, res) => {
      let octets = 0;
      for await (const chunk of req) {
        octets += (chunk as Buffer).length;
        if (octets % 7 === 0) await settled(1);
      }
      res.end(String(octets));
    });
    const request = http.request({ port, host: '127.0.0.1', method: 'POST' });
    const answer = once(request, 'response');
    const chunks = Array.from({ length: 200 }, () => Buffer.alloc(20_001));
    await pipeline(Readable.from(chunks), request);
    const [response] = (await answer) as [http.IncomingMessage];
    t.log(await text(response));
    await stop(server);
  },

  'a body streams down while the reader pauses': async (t) => {
    let filled = 0;
    const { server, port } = await site(t, (_req, res) => {
      const chunk = Buffer.alloc(64 * 1024, 1);
      let left = 100;
      const more = (): void => {
        while (left-- > 0) {
          if (res.write(chunk)) continue;
          filled++;
          res.once('drain', more);
          return;
        }
        res.end();
      };
      more();
    });
    const request = http.get({ port, host: '127.0.0.1' });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    let octets = 0;
    let pauses = 0;
    response.on('data', (d: Buffer) => {
      octets += d.length;
      if (octets < (pauses + 1) * 1_000_000) return;
      pauses++;
      response.pause();
      setImmediate(() => response.resume());
    });
    await once(response, 'end');
    t.log(octets, pauses, filled > 0);
    await stop(server);
  },

  'the client destroys a request in the middle of its body': async (t) => {
    const { server, port } = await site(t, (req) => {
      req.on('data', () => {});
      req.on('error', (e) => t.log('server:error', e));
      req.on('close', () => t.log('server:close', req.complete, req.aborted));
    });
    const request = http.request({ port, host: '127.0.0.1', method: 'POST' });
    request.on('error', (e) => t.log('client:error', e));
    request.write(Buffer.alloc(50_000));
    await once(server, 'request');
    request.destroy(new Error('enough'));
    await once(request, 'close');
    await settled(20);
    await stop(server);
  },

  'an AbortSignal ends a request': async (t) => {
    const { server, port } = await site(t, (_req, res) => res.write('a beginning'));
    const aborting = new AbortController();
    const request = http.get({ port, host: '127.0.0.1', signal: aborting.signal });
    request.on('error', (e) => t.log('request', e.name, (e as NodeJS.ErrnoException).code));
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.on('error', (e) => t.log('response', (e as NodeJS.ErrnoException).code));
    await once(response, 'data');
    aborting.abort();
    await once(response, 'close');
    t.log(response.complete, request.destroyed);
    await stop(server);
  },

  'the server destroys a response in the middle of its body': async (t) => {
    const { server, port } = await site(t, (_req, res) => {
      res.writeHead(200, { 'Content-Length': 1000 });
      res.write('half', () => res.destroy());
    });
    const request = http.get({ port, host: '127.0.0.1' });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    response.on('data', () => {});
    response.on('aborted', () => t.log('aborted'));
    response.on('error', (e) => t.log('response', (e as NodeJS.ErrnoException).code));
    await once(response, 'close');
    t.log(response.complete);
    await stop(server);
  },

  'CONNECT hands over the socket with its head, both ways': async (t) => {
    const { server, port } = await site(t, () => {});
    server.on('connect', (req, socket: net.Socket, head: Buffer) => {
      t.log('server: ', req.url, head);
      socket.write('HTTP/1.1 200 Established\r\n\r\nearly');
      socket.on('data', (d) => socket.end(`<${d}>`));
    });
    const request = http.request({ port, host: '127.0.0.1', method: 'CONNECT', path: 'x:1' });
    request.end();
    const [response, socket, head] = (await once(request, 'connect')) as [
      http.IncomingMessage,
      net.Socket,
      Buffer,
    ];
    socket.write('through');
    const rest = await text(socket);
    t.log('client: ', response.statusCode, head.toString() + rest);
    await stop(server);
  },

  'server.timeout destroys a silent connection': async (t) => {
    const { server, port } = await site(t, () => t.log('server: request'));
    server.setTimeout(60, (socket) => {
      t.log('server: timeout', socket.destroyed);
      socket.destroy();
    });
    const request = http.get({ port, host: '127.0.0.1' });
    const [error] = await once(request, 'error');
    t.log('client: ', error);
    await stop(server);
  },

  'headersTimeout answers 408': async (t) => {
    const timeouts = { headersTimeout: 80, requestTimeout: 200, connectionsCheckingInterval: 20 };
    const { server, port } = await site(t, () => t.log('server: request'), timeouts);
    const socket = net.connect(port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: x\r\nx-slow: ');
    t.log('client: ', await text(socket));
    await stop(server);
  },

  'requestTimeout answers 408 to a slow body': async (t) => {
    const timeouts = { headersTimeout: 80, requestTimeout: 120, connectionsCheckingInterval: 20 };
    const serve: http.RequestListener = (req) => {
      req.on('error', (e) => t.log('server: ', (e as NodeJS.ErrnoException).code));
      req.resume();
    };
    const { server, port } = await site(t, serve, timeouts);
    const socket = net.connect(port, '127.0.0.1');
    socket.write('POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\nabc');
    t.log('client: ', await text(socket));
    await stop(server);
  },

  'request.setTimeout tells and does not end': async (t) => {
    const { server, port } = await site(t, (_req, res) => {
      server.once('late', () => res.end('late'));
    });
    const request = http.get({ port, host: '127.0.0.1', timeout: 50 });
    await once(request, 'timeout');
    t.log('timeout', request.destroyed);
    server.emit('late');
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    t.log(await text(response));
    await stop(server);
  },

  'maxRequestsPerSocket closes after the last': async (t) => {
    const { server, port } = await site(t, (_req, res) => res.end('ok'));
    server.maxRequestsPerSocket = 2;
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    for (let i = 0; i < 3; i++) {
      const { headers, reused } = await ask({ port, agent });
      t.log(i, headers.connection, reused);
      await settled(5);
    }
    agent.destroy();
    await stop(server);
  },

  'headers over the limit are answered 431': async (t) => {
    const { server, port } = await site(t, () => t.log('server: request'));
    server.on('clientError', (e: NodeJS.ErrnoException, socket: net.Socket) => {
      t.log('server: ', e.code);
      socket.end('HTTP/1.1 431 Too Large\r\nConnection: close\r\n\r\n');
    });
    const socket = net.connect(port, '127.0.0.1');
    socket.on('error', () => {});
    socket.write(`GET / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`);
    t.log('client: ', await text(socket));
    await stop(server);
  },

  'nobody listens: ECONNREFUSED': async (t) => {
    const { server, port } = await site(t, () => {});
    await stop(server);
    const request = http.get({ port, host: '127.0.0.1' });
    t.log((await once(request, 'error'))[0]);
  },
};
