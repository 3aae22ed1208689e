// CommonJS: an smtp-server with STARTTLS and login; says a line of JSON for each letter.
const { createHash } = require('node:crypto');
const { SMTPServer } = require('smtp-server');

const server = new SMTPServer({
  key: process.env.TEST_KEY,
  cert: process.env.TEST_CERT,
  onAuth(auth, _session, done) {
    if (auth.password === 'right') done(null, { user: auth.username });
    else done(new Error('no'));
  },
  onData(stream, session, done) {
    const hash = createHash('sha256');
    let octets = 0;
    stream.on('data', (chunk) => {
      octets += chunk.length;
      hash.update(chunk);
    });
    stream.on('end', () => {
      const { mailFrom, rcptTo } = session.envelope;
      const letter = {
        ...{ from: mailFrom.address, to: rcptTo.map((to) => to.address) },
        ...{ user: session.user, secure: session.secure, peer: session.remoteAddress },
        ...{ octets, sha256: hash.digest('hex') },
      };
      console.log(JSON.stringify(letter));
      done();
    });
  },
});
server.on('error', (error) => console.error(error.message));
server.listen(25, process.env.TEST_US, () => console.log('ready'));
