// CommonJS: an smtp-server with STARTTLS and login, and nodemailer as its client.
const { readFileSync } = require('node:fs');
const { SMTPServer } = require('smtp-server');
const nodemailer = require('nodemailer');

const { key, cert } = JSON.parse(readFileSync(0, 'utf8'));
const letters = [];
const server = new SMTPServer({
  key,
  cert,
  onAuth: (auth, _session, done) => done(null, { user: auth.username }),
  onData(stream, session, done) {
    let text = '';
    stream.on('data', (d) => {
      text += d;
    });
    stream.on('end', () => {
      const subject = /^Subject: (.*)$/m.exec(text)[1];
      letters.push({
        subject,
        user: session.user,
        secure: session.secure,
        size: text.length > 100_000,
      });
      done();
    });
  },
});
server.listen(2525, '127.0.0.1', async () => {
  const transport = nodemailer.createTransport({
    host: '127.0.0.1',
    port: 2525,
    requireTLS: true,
    auth: { user: 'ann', pass: 'x' },
    tls: { ca: cert, servername: 'portside.test' },
  });
  const sent = await transport.sendMail({
    from: 'ann@example.org',
    to: 'bob@example.org',
    subject: 'on portside',
    text: 'line\n'.repeat(30_000),
  });
  console.log(JSON.stringify([letters, sent.accepted]));
  transport.close();
  server.close();
});
