// Programs for node:http whose sockets come from node:net or from a host: servers by
// `emit('connection')`, clients by `createConnection`.

import * as http from 'node:http';
import type * as net from 'node:net';
import {
  type Ground,
  listening,
  once,
  type Program,
  settled,
  type Transcript,
} from './transcript.ts';

interface Site {
  port: number;
  server: http.Server;
  close(): Promise<void>;
}

async function site(ground: Ground, t: Transcript, serve: http.RequestListener): Promise<Site> {
  const server = http.createServer(serve);
  const listener = ground.net.createServer({ allowHalfOpen: true, noDelay: true }, (s) =>
    server.emit('connection', s),
  );
  const port = await listening(listener, t);
  return {
    port,
    server,
    close: async () => {
      listener.close();
      server.closeAllConnections();
      await once(listener, 'close');
    },
  };
}

function agentOf(ground: Ground, options: http.AgentOptions): http.Agent {
  const agent = new http.Agent(options);
  Object.assign(agent, {
    createConnection: (o: net.NetConnectOpts, done: () => void) => ground.net.connect(o, done),
  });
  return agent;
}

interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  body: Buffer;
  socket: net.Socket;
  reused: boolean;
}

function ask(options: http.RequestOptions, body?: string | Buffer): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ host: '127.0.0.1', ...options }, (response) => {
      const parts: Buffer[] = [];
      const { socket } = response;
      response.on('data', (d) => parts.push(d));
      response.on('error', reject);
      response.on('end', () =>
        resolve({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(parts),
          socket,
          reused: request.reusedSocket,
        }),
      );
    });
    request.on('error', reject);
    request.end(body);
  });
}

export const httpPrograms: Record<string, Program> = {
  'GET, POST and headers': async (ground, t) => {
    const s = await site(ground, t, (req, res) => {
      let n = 0;
      req.on('data', (d: Buffer) => {
        n += d.length;
      });
      req.on('end', () => {
        res.setHeader('x-got', n);
        res.end(`${req.method} ${req.url}`);
      });
    });
    const agent = agentOf(ground, {});
    for (const [method, path, body] of [
      ['GET', '/a', ''],
      ['POST', '/b', 'x'.repeat(100_000)],
      ['HEAD', '/c', ''],
    ] as const) {
      const {
        status,
        headers,
        body: text,
      } = await ask({ port: s.port, agent, method, path }, body);
      t.log(status, headers['x-got'], headers.connection, text);
    }
    agent.destroy();
    await s.close();
  },

  'a keep-alive agent reuses one socket': async (ground, t) => {
    const s = await site(ground, t, (_req, res) => res.end('ok'));
    const agent = agentOf(ground, { keepAlive: true, maxSockets: 1 });
    const seen = new Set<net.Socket>();
    for (let i = 0; i < 5; i++) {
      const { socket, reused } = await ask({ port: s.port, agent });
      seen.add(socket);
      t.log(i, reused);
      await settled(3);
    }
    t.log(seen.size);
    agent.destroy();
    await s.close();
  },

  'pipelined requests are answered in order': async (ground, t) => {
    const s = await site(ground, t, (req, res) => {
      setTimeout(() => res.end(`answer ${req.url}`), req.url === '/0' ? 20 : 0);
    });
    const c = ground.net.connect(s.port, '127.0.0.1');
    let text = '';
    c.setEncoding('latin1');
    c.on('data', (d) => {
      text += d;
    });
    for (let i = 0; i < 4; i++) {
      const last = i === 3 ? 'Connection: close\r\n' : '';
      c.write(`GET /${i} HTTP/1.1\r\nHost: x\r\n${last}\r\n`);
    }
    await once(c, 'close');
    t.log(text.match(/answer \/\d/g));
    await s.close();
  },

  'a client that leaves in the middle of a body': async (ground, t) => {
    const gone = new Promise<void>((resolve) => {
      void site(ground, t, (req, res) => {
        req.on('aborted', () => t.log('aborted'));
        res.on('close', () => {
          t.log('response closed', res.writableFinished);
          resolve();
        });
        res.write(Buffer.alloc(100_000));
      }).then(async (s) => {
        const request = http.get({
          port: s.port,
          host: '127.0.0.1',
          agent: agentOf(ground, {}),
        });
        request.on('error', (e) => t.log('request', e));
        request.on('response', (r) => {
          r.once('data', () => request.destroy());
          r.on('error', (e) => t.log('response', e));
          r.on('close', () => t.log('response over', r.complete));
        });
        await gone;
        await s.close();
      });
    });
    await gone;
    await settled(20);
  },

  'a server that resets': async (ground, t) => {
    const s = await site(ground, t, (req) => {
      req.socket.resetAndDestroy();
    });
    try {
      await ask({ port: s.port, agent: agentOf(ground, {}) });
    } catch (error) {
      t.log(error);
    }
    await s.close();
  },

  'upgrade hands over the socket with its head': async (ground, t) => {
    const s = await site(ground, t, () => {});
    s.server.on('upgrade', (_req, socket: net.Socket, head: Buffer) => {
      t.log('head', head);
      socket.write('HTTP/1.1 101 Go\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\nfirst');
      socket.on('data', (d) => socket.end(d));
    });
    const request = http.request({
      port: s.port,
      host: '127.0.0.1',
      agent: agentOf(ground, {}),
      headers: { Connection: 'Upgrade', Upgrade: 'x' },
    });
    request.end();
    const [response, socket, head] = (await once(request, 'upgrade')) as [
      http.IncomingMessage,
      net.Socket,
      Buffer,
    ];
    t.log(response.statusCode);
    let text = head.toString();
    socket.on('data', (d) => {
      text += d;
    });
    socket.write('second');
    await once(socket, 'close');
    t.log(text);
    await s.close();
  },

  'nonsense is answered 400': async (ground, t) => {
    const s = await site(ground, t, () => {});
    s.server.on('clientError', (e: NodeJS.ErrnoException, socket: net.Socket) => {
      t.log(e.code, socket.writable);
      socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
    });
    const c = ground.net.connect(s.port, '127.0.0.1');
    c.on('error', (e) => t.log('client', e));
    let text = '';
    c.on('data', (d) => {
      text += d;
    });
    c.write('nonsense\r\n\r\n');
    await once(c, 'close');
    t.log(text);
    await s.close();
  },
};
