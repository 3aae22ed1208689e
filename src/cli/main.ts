#!/usr/bin/env node
// The command line `portside`: one command a file, put together here.

import { readFileSync } from 'node:fs';
import { Command } from 'commander';
import { addrCommand } from './addr.ts';
import { benchCommand, benchLoadCommand } from './bench/command.ts';
import { benchServeCommand } from './bench/serve.ts';
import { buildNativeCommand } from './build-native.ts';
import { captureCommand } from './capture.ts';
import { curlCommand } from './curl.ts';
import { demoCommand } from './demo.ts';
import { digCommand } from './dig.ts';
import { doctorCommand } from './doctor.ts';
import { inspectCommand } from './inspect.ts';
import { iperf3Command } from './iperf3.ts';
import { labCommand } from './lab.ts';
import { linkCommand } from './link.ts';
import { ncCommand } from './nc.ts';
import { neighCommand } from './neigh.ts';
import { nstatCommand } from './nstat.ts';
import { pingCommand } from './ping.ts';
import { portsCommand } from './ports.ts';
import { failWith } from './report.ts';
import { routeCommand } from './route.ts';
import { routerCommand } from './router.ts';
import { servicesCommand } from './services.ts';
import { ssCommand } from './ss.ts';
import { topCommand } from './top.ts';
import { traceCommand } from './trace.ts';
import { tracepathCommand, tracerouteCommand } from './traceroute.ts';
import { upCommand } from './up.ts';

function version(): string {
  // src/cli/ and dist/cli/ lie equally deep below the package's root.
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
}

function program(): Command {
  const root = new Command('portside')
    .description('A TCP/IP stack of your own, in user space, on a TUN device.')
    .version(version())
    // a line a command: the whole list fits on one screen
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .showSuggestionAfterError(false)
    .addHelpText(
      'after',
      '\nExit codes: 0 as asked, 1 misuse, missing rights or failure (one sentence on stderr);\n' +
        'ping, nc, curl and dig have those of the programs they are named after.',
    );
  const commands = [upCommand(), routerCommand(), servicesCommand(), demoCommand()];
  commands.push(doctorCommand(), benchCommand(), iperf3Command(), labCommand());
  commands.push(inspectCommand(), topCommand(), ssCommand(), nstatCommand(), portsCommand());
  commands.push(captureCommand(), traceCommand());
  commands.push(addrCommand(), routeCommand(), linkCommand(), neighCommand());
  commands.push(pingCommand(), tracerouteCommand(), tracepathCommand(), ncCommand());
  commands.push(curlCommand(), digCommand(), buildNativeCommand());
  for (const command of commands) {
    // addCommand does not hand settings down
    root.addCommand(command.copyInheritedSettings(root));
  }
  // Parts of `bench` that run in processes of their own.
  root.addCommand(benchServeCommand().copyInheritedSettings(root), { hidden: true });
  root.addCommand(benchLoadCommand().copyInheritedSettings(root), { hidden: true });
  return root;
}

program()
  .parseAsync(process.argv)
  .catch((reason: unknown) => failWith(reason));
