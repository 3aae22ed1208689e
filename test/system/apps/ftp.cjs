// CommonJS: ftp-srv over the folder TEST_DIR/ftp, for anonymous users.
const { join } = require('node:path');
const FtpSrv = require('ftp-srv');

const quiet = { child: () => quiet };
for (const level of ['trace', 'debug', 'info', 'warn', 'error']) quiet[level] = () => {};
const server = new FtpSrv({
  url: `ftp://${process.env.TEST_US}:21`,
  pasv_url: process.env.TEST_US,
  anonymous: true,
  log: quiet,
});
server.on('login', (_data, resolve) => resolve({ root: join(process.env.TEST_DIR, 'ftp') }));
server.on('client-error', ({ error }) => console.error(error));
server.listen().then(() => console.log('ready'));
