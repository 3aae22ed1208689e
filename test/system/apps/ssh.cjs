// CommonJS: an ssh2 server that gives one user, by key, SFTP over the folder TEST_DIR/ssh and the
// commands `sha256` (of its input) and `exit N`.
const { createHash } = require('node:crypto');
const fs = require('node:fs');
const { join } = require('node:path');
const { Server, utils } = require('ssh2');

const { STATUS_CODE, OPEN_MODE } = utils.sftp;
const root = join(process.env.TEST_DIR, 'ssh');
const allowed = utils.parseKey(fs.readFileSync(join(process.env.TEST_DIR, 'user.pub')));

function authenticate(context) {
  if (context.method !== 'publickey' || context.username !== 'ann') return context.reject();
  const { key } = context;
  if (key.algo !== allowed.type || !key.data.equals(allowed.getPublicSSH())) {
    return context.reject();
  }
  if (!context.signature) return context.accept();
  if (allowed.verify(context.blob, context.signature, context.hashAlgo) === true) context.accept();
  else context.reject();
}

/** The requests of draft-ietf-secsh-filexfer-02 that scp and sftp make, over files by number. */
function serveFiles(sftp) {
  const open = new Map();
  let made = 0;
  const path = (name) => join(root, join('/', name));
  const number = (handle) => (handle.length === 4 ? handle.readUInt32BE(0) : -1);
  const add = (entry) => {
    const handle = Buffer.alloc(4);
    handle.writeUInt32BE(made, 0);
    open.set(made++, entry);
    return handle;
  };
  // scp asks for an exit code, which ssh2 has no public word for here.
  sftp.on('end', () => {
    sftp._protocol.exitStatus(sftp.outgoing.id, 0);
    sftp.end();
  });
  const done = (id) => (error) => sftp.status(id, error ? STATUS_CODE.FAILURE : STATUS_CODE.OK);
  const stat = (id, name) => {
    fs.stat(path(name), (error, found) => {
      if (error) sftp.status(id, STATUS_CODE.NO_SUCH_FILE);
      else sftp.attrs(id, found);
    });
  };
  sftp.on('REALPATH', (id, name) => {
    sftp.name(id, [{ filename: join('/', name), longname: '', attrs: {} }]);
  });
  sftp.on('STAT', stat).on('LSTAT', stat);
  sftp.on('FSTAT', (id, handle) => {
    const entry = open.get(number(handle));
    fs.fstat(entry.fd, (error, found) => (error ? done(id)(error) : sftp.attrs(id, found)));
  });
  sftp.on('SETSTAT', (id) => done(id)(null)).on('FSETSTAT', (id) => done(id)(null));
  sftp.on('OPEN', (id, name, flags) => {
    const how = utils.sftp.flagsToString(flags) ?? (flags & OPEN_MODE.WRITE ? 'w' : 'r');
    fs.open(path(name), how, (error, fd) => {
      if (error) sftp.status(id, STATUS_CODE.NO_SUCH_FILE);
      else sftp.handle(id, add({ fd }));
    });
  });
  sftp.on('READ', (id, handle, at, length) => {
    // In order, as sshd does: OpenSSH 9.2 cuts a file where answers overtake one another.
    const to = Buffer.alloc(length);
    const n = fs.readSync(open.get(number(handle)).fd, to, 0, length, at);
    if (n === 0) sftp.status(id, STATUS_CODE.EOF);
    else sftp.data(id, to.subarray(0, n));
  });
  sftp.on('WRITE', (id, handle, at, data) => {
    fs.write(open.get(number(handle)).fd, data, 0, data.length, at, done(id));
  });
  sftp.on('OPENDIR', (id, name) => {
    fs.readdir(path(name), (error, names) => {
      if (error) sftp.status(id, STATUS_CODE.NO_SUCH_FILE);
      else sftp.handle(id, add({ path: path(name), names }));
    });
  });
  sftp.on('READDIR', (id, handle) => {
    const entry = open.get(number(handle));
    const names = entry.names.splice(0, 100);
    if (names.length === 0) sftp.status(id, STATUS_CODE.EOF);
    else {
      const attrs = (name) => fs.statSync(join(entry.path, name));
      sftp.name(
        id,
        names.map((name) => ({ filename: name, longname: name, attrs: attrs(name) })),
      );
    }
  });
  sftp.on('MKDIR', (id, name) => fs.mkdir(path(name), done(id)));
  sftp.on('REMOVE', (id, name) => fs.unlink(path(name), done(id)));
  sftp.on('CLOSE', (id, handle) => {
    const entry = open.get(number(handle));
    open.delete(number(handle));
    if (entry?.fd === undefined) done(id)(null);
    else fs.close(entry.fd, done(id));
  });
}

function serveCommands(accept, _reject, { command }) {
  const stream = accept();
  const [, code] = /^exit (\d+)$/.exec(command) ?? [];
  const finish = (n) => {
    stream.exit(n);
    stream.end();
  };
  if (code !== undefined) finish(Number(code));
  else if (command === 'sha256') {
    const hash = createHash('sha256');
    stream.on('data', (d) => hash.update(d));
    stream.on('end', () => {
      stream.write(hash.digest('hex'));
      finish(0);
    });
  } else finish(127);
}

const hostKeys = [fs.readFileSync(join(process.env.TEST_DIR, 'host'))];
const server = new Server({ hostKeys }, (client) => {
  client.on('error', (error) => console.log(`client: ${error.message}`));
  client.on('authentication', authenticate);
  client.on('session', (accept) => {
    const session = accept();
    session.on('sftp', (acceptSftp) => serveFiles(acceptSftp()));
    session.on('exec', serveCommands);
  });
});
server.listen(22, process.env.TEST_US, () => console.log('ready'));
