// Programs for node:tls and node:https: wrapping before and after connect, sessions, names, protocols,
// client certificates, ends and errors.

import * as https from 'node:https';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { settled, type Transcript } from './transcript.ts';
import { ask, listening, once, SECURE, stop, TRUST, text, type WebProgram } from './web.ts';

async function secure(
  t: Transcript,
  options: tls.TlsOptions,
  talk: (socket: tls.TLSSocket) => void,
): Promise<{ server: tls.Server; port: number }> {
  const server = tls.createServer({ ...SECURE, ...options }, talk);
  server.on('tlsClientError', (e) => t.log('server: tlsClientError', reasonOf(e)));
  return { server, port: await listening(server, t) };
}

/** OpenSSL's own text differs in addresses only; its code does not. */
function reasonOf(error: Error): string {
  return String((error as NodeJS.ErrnoException).code);
}

export const tlsPrograms: Record<string, WebProgram> = {
  'echo, and the order of a client’s events': async (t) => {
    const { server, port } = await secure(t, {}, (s) => s.pipe(s));
    const client = tls.connect({ ...TRUST, port });
    t.watch('client', client, 'connect secureConnect end close');
    t.watch('written', client, 'secureConnect finish close');
    client.once('secureConnect', () => t.log('program: ', client.getProtocol()));
    client.end('through tls');
    t.log('program: ', await text(client), client.authorized);
    await settled(20);
    await stop(server);
  },

  'options that are refused leave no attempt behind': async (t) => {
    const { server, port } = await secure(t, {}, (s) => s.end());
    for (const wrong of [{ minVersion: 'no' }, { ciphers: 'no' }, { secureProtocol: 'no' }]) {
      try {
        tls.connect({ ...TRUST, port, ...wrong } as tls.ConnectionOptions);
        t.log('nothing thrown');
      } catch (error) {
        t.log(reasonOf(error as Error));
      }
    }
    await once(tls.connect({ ...TRUST, port }).resume(), 'close');
    await stop(server);
  },

  'a client that does not like the server says why': async (t) => {
    const { server, port } = await secure(t, { maxVersion: 'TLSv1.2' }, (s) => s.end());
    const client = tls.connect({ ...TRUST, port, minVersion: 'TLSv1.3' });
    client.on('error', (e) => t.log('client:', reasonOf(e)));
    await Promise.all([once(client, 'close'), once(server, 'tlsClientError')]);
    await stop(server);
  },

  'the server ends first, the client answers by itself': async (t) => {
    const { server, port } = await secure(t, {}, (s) => {
      t.watch('server', s, 'end close');
      t.watch('written', s, 'finish close');
      s.end('bye');
    });
    const client = tls.connect({ ...TRUST, port });
    t.watch('client', client, 'end finish close');
    client.resume();
    await once(client, 'close');
    await settled(20);
    await stop(server);
  },

  'a server’s socket is half open only when it is told so': async (t) => {
    for (const allowHalfOpen of [false, true]) {
      const { server, port } = await secure(t, { allowHalfOpen }, (s) => {
        s.resume();
        s.on('end', () => setImmediate(() => t.log('server: writable', s.writable) ?? s.end()));
      });
      const client = tls.connect({ ...TRUST, port });
      client.end('x');
      client.resume();
      await once(client, 'close');
      await stop(server);
    }
  },

  'wraps a connecting socket and a connected one': async (t) => {
    const { server, port } = await secure(t, {}, (s) => s.pipe(s));
    for (const wait of [false, true]) {
      const socket = net.connect(port, '127.0.0.1');
      if (wait) await once(socket, 'connect');
      const client = tls.connect({ socket, ca: TRUST.ca, servername: TRUST.servername });
      client.end(`wrapped ${wait}`);
      t.log(await text(client), client.authorized);
    }
    await stop(server);
  },

  'TLSSocket with isServer over an accepted socket': async (t) => {
    const server = net.createServer((raw) => {
      const context = tls.createSecureContext(SECURE);
      const s = new tls.TLSSocket(raw, { isServer: true, secureContext: context });
      s.on('secure', () => t.log('server: secure', s.getProtocol(), s.encrypted));
      s.pipe(s);
    });
    const port = await listening(server, t);
    const client = tls.connect({ ...TRUST, port });
    client.end('hello');
    t.log('client: ', await text(client));
    await stop(server);
  },

  'STARTTLS: plain text first, TLS on the same connection': async (t) => {
    const server = net.createServer((raw) => {
      raw.once('data', (line) => {
        t.log('server: ', line);
        raw.write('go\r\n', () => {
          const s = new tls.TLSSocket(raw, { isServer: true, ...SECURE });
          s.on('data', (d) => s.end(`secret ${d}`));
        });
      });
    });
    const port = await listening(server, t);
    const raw = net.connect(port, '127.0.0.1');
    raw.write('STARTTLS\r\n');
    t.log('client: ', (await once(raw, 'data'))[0]);
    raw.removeAllListeners('data');
    const client = tls.connect({ socket: raw, ca: TRUST.ca, servername: TRUST.servername });
    client.write('word');
    t.log('client: ', await text(client));
    await stop(server);
  },

  'sessions are resumed, TLS 1.2 and 1.3': async (t) => {
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const { server, port } = await secure(t, { maxVersion }, (s) => {
        s.resume();
        s.end('x');
      });
      let session: Buffer | undefined;
      for (let i = 0; i < 2; i++) {
        const client = tls.connect({ ...TRUST, port, session: session as Buffer });
        client.on('session', (s) => {
          session = s;
        });
        client.resume();
        await once(client, 'secureConnect');
        const reused = client.isSessionReused();
        await once(client, 'close');
        t.log(maxVersion, i, reused, session !== undefined);
      }
      await stop(server);
    }
  },

  'SNI chooses the context, and the callback may refuse': async (t) => {
    const SNICallback: tls.TlsOptions['SNICallback'] = (name, done) => {
      t.log('server: asked for', name);
      if (name === 'portside.test') done(null, tls.createSecureContext(SECURE));
      else done(new Error('unknown name'));
    };
    const { server, port } = await secure(t, { SNICallback }, (s) => s.end(String(s.servername)));
    t.log('client: ', await text(tls.connect({ ...TRUST, port })));
    const refused = tls.connect({ ...TRUST, port, servername: 'other.test' });
    t.log('client: ', reasonOf((await once(refused, 'error'))[0] as Error));
    await settled(20);
    await stop(server);
  },

  'ALPN finds the common protocol': async (t) => {
    const { server, port } = await secure(t, { ALPNProtocols: ['b', 'c'] }, (s) =>
      s.end(String(s.alpnProtocol)),
    );
    for (const ALPNProtocols of [['a', 'c'], ['b'], undefined]) {
      const client = tls.connect({ ...TRUST, port, ...(ALPNProtocols ? { ALPNProtocols } : {}) });
      const heard = await text(client);
      t.log('client: ', heard, client.alpnProtocol);
    }
    const client = tls.connect({ ...TRUST, port, ALPNProtocols: ['z'] });
    t.log('client: ', reasonOf((await once(client, 'error'))[0] as Error));
    await settled(20);
    await stop(server);
  },

  'a client certificate is asked for and shown': async (t) => {
    const options = { requestCert: true, rejectUnauthorized: true, ca: SECURE.cert };
    const { server, port } = await secure(t, options, (s) =>
      s.end(`${s.authorized} ${s.getPeerCertificate().subject?.CN}`),
    );
    t.log('client: ', await text(tls.connect({ ...TRUST, ...SECURE, port })));
    await stop(server);
  },

  'an unknown certificate and a wrong name are refused': async (t) => {
    const { server, port } = await secure(t, {}, (s) => s.on('error', () => {}).resume());
    for (const options of [{ ca: [] }, { servername: 'other.test' }]) {
      const client = tls.connect({ ...TRUST, port, ...options });
      const closed = once(client, 'close');
      t.log('client: ', reasonOf((await once(client, 'error'))[0] as Error));
      await closed;
    }
    await settled(20);
    await stop(server);
  },

  'a server that speaks no TLS': async (t) => {
    const server = net.createServer((s) =>
      s
        .on('error', () => {})
        .resume()
        .end('220 plain text\r\n'),
    );
    const port = await listening(server, t);
    const client = tls.connect({ ...TRUST, port });
    const closed = once(client, 'close');
    t.log('client: ', reasonOf((await once(client, 'error'))[0] as Error));
    await closed;
    await stop(server);
  },

  'a client that speaks no TLS': async (t) => {
    const { server, port } = await secure(t, {}, () => t.log('server: secure'));
    const failed = once(server, 'tlsClientError');
    const client = net.connect(port, '127.0.0.1');
    client.on('error', () => {});
    client.write('GET / HTTP/1.1\r\n\r\n');
    client.resume();
    await failed;
    await once(client, 'close');
    await stop(server);
  },

  'the peer goes away before the handshake is done': async (t) => {
    const server = net.createServer((s) => s.on('error', () => {}).destroy());
    const port = await listening(server, t);
    const client = tls.connect({ ...TRUST, port });
    const closed = once(client, 'close');
    const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
    t.log('client: ', error.code);
    await closed;
    await stop(server);
  },

  'nobody listens: ECONNREFUSED': async (t) => {
    const { server, port } = await secure(t, {}, () => {});
    await stop(server);
    t.log((await once(tls.connect({ ...TRUST, port }), 'error'))[0]);
  },

  'handshakeTimeout ends a silent client': async (t) => {
    const { server, port } = await secure(t, { handshakeTimeout: 60 }, () => {});
    server.on('tlsClientError', (_error, socket) => socket.destroy());
    const client = net.connect(port, '127.0.0.1');
    client.resume();
    await once(client, 'close');
    await stop(server);
  },

  'large data both ways, with pauses': async (t) => {
    const { server, port } = await secure(t, {}, (s) => s.pipe(s));
    const client = tls.connect({ ...TRUST, port });
    let octets = 0;
    let pauses = 0;
    client.on('data', (d) => {
      octets += d.length;
      if (octets < (pauses + 1) * 500_000) return;
      pauses++;
      client.pause();
      setImmediate(() => client.resume());
    });
    for (let i = 0; i < 30; i++) client.write(Buffer.alloc(100_000, i));
    client.end();
    await once(client, 'end');
    t.log(octets, pauses, client.bytesWritten);
    await stop(server);
  },

  'exported keys and finished messages agree': async (t) => {
    const keys: string[] = [];
    const { server, port } = await secure(t, { maxVersion: 'TLSv1.2' }, (s) => {
      keys.push(s.exportKeyingMaterial(16, 'label', Buffer.from('x')).toString('hex'));
      keys.push(String(s.getPeerFinished()?.toString('hex')));
      s.end();
    });
    const client = tls.connect({ ...TRUST, port });
    client.resume();
    await once(client, 'secureConnect');
    const cipher = client.getCipher().name.length;
    const ours = client.exportKeyingMaterial(16, 'label', Buffer.from('x')).toString('hex');
    const finished = String(client.getFinished()?.toString('hex'));
    await once(client, 'close');
    t.log(keys[0] === ours, keys[1] === finished, cipher > 0);
    await stop(server);
  },

  'addresses of both ends': async (t) => {
    const { server, port } = await secure(t, {}, (s) => {
      t.log('server: ', s.remoteAddress, s.remoteFamily, s.localPort, s.localAddress);
      s.end();
    });
    const client = tls.connect({ ...TRUST, port });
    client.resume();
    await once(client, 'secureConnect');
    t.log('client: ', client.remoteAddress, client.remotePort, client.localAddress);
    await once(client, 'close');
    await stop(server);
  },

  'https: a keep-alive agent reuses the socket, a second agent the session': async (t) => {
    const server = https.createServer(SECURE, (req, res) => res.end(`${req.method} ${req.url}`));
    const port = await listening(server, t);
    const agent = new https.Agent({ keepAlive: true, maxSockets: 1 });
    for (const path of ['/1', '/2']) {
      const answer = await ask({ secure: true, port, agent, path });
      t.log(answer.body, answer.reused, (answer.socket as tls.TLSSocket).authorized);
      await settled(5);
    }
    const free = Object.values(agent.freeSockets).flat()[0] as tls.TLSSocket;
    const closed = once(free, 'close');
    free.destroy();
    await closed;
    const third = await ask({ secure: true, port, agent, path: '/3' });
    t.log(third.body, third.reused, (third.socket as tls.TLSSocket).isSessionReused());
    agent.destroy();
    await stop(server);
  },

  'https: a POST of 2 MB and the end by EOF': async (t) => {
    const server = https.createServer(SECURE, (req, res) => {
      let octets = 0;
      req.on('data', (d) => {
        octets += d.length;
      });
      req.on('end', () => {
        res.writeHead(200, { Connection: 'close' });
        res.end(String(octets));
      });
    });
    const port = await listening(server, t);
    const body = Buffer.alloc(2_000_000);
    const { status, body: said } = await ask({ secure: true, port, method: 'POST' }, body);
    t.log(status, said);
    await stop(server);
  },

  'https: a request is destroyed in mid-body': async (t) => {
    const server = https.createServer(SECURE, (_req, res) => {
      res.on('close', () => t.log('server: close', res.writableFinished));
      res.write(Buffer.alloc(200_000));
    });
    const port = await listening(server, t);
    const request = https.get({ ...TRUST, port });
    request.on('error', (e) => t.log('client: ', (e as NodeJS.ErrnoException).code));
    const [response] = (await once(request, 'response')) as [NodeJS.ReadableStream];
    response.on('error', (e) => t.log('client: ', (e as NodeJS.ErrnoException).code));
    await once(response, 'data');
    request.destroy();
    await once(response, 'close');
    await settled(20);
    await stop(server);
  },
};
