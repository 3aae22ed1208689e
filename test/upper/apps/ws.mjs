// A websocket server and its client: text, a binary message of 1 MB, ping, close with a code.
import { createServer } from 'node:http';
import { WebSocket, WebSocketServer } from 'ws';

const site = createServer((_req, res) => res.end('http'));
const wss = new WebSocketServer({ server: site, path: '/chat' });
wss.on('connection', (socket) =>
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })),
);
site.listen(8080, () => {
  const client = new WebSocket('ws://localhost:8080/chat');
  const seen = [];
  client.on('open', () => client.send('hello'));
  client.on('pong', (data) => {
    seen.push(`pong ${data}`);
    client.close(4001, 'enough');
  });
  client.on('message', (data, isBinary) => {
    seen.push(isBinary ? `binary ${data.length}` : `text ${data}`);
    if (isBinary) client.ping('are you there');
    else client.send(Buffer.alloc(1_000_000));
  });
  client.on('close', (code, reason) => {
    console.log(JSON.stringify([...seen, `close ${code} ${reason}`]));
    wss.close();
    site.close();
  });
});
