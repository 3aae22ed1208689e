// Loaded before each of Node's own test files by scripts/node-tests.mjs: puts net and dgram on
// portside. NODE_TESTS_HOW says in which way:
//   doors     require('net') and require('dgram') give portside/net and portside/dgram
//   register  portside/register: whatever stands on net (http, https, tls, http2) goes along
//   replace   what portside/net and portside/dgram export is written over Node's own exports

'use strict';

const { join } = require('node:path');
const dist = join(__dirname, '..', '..', 'dist', 'cjs');
const names = ['net', 'dgram'];

const ways = {
  doors() {
    const Module = require('node:module');
    const original = Module._load;
    const doors = new Map();
    for (const name of names) {
      const door = require(join(dist, `${name}.cjs`));
      doors.set(name, door).set(`node:${name}`, door);
    }
    Module._load = function load(request, ...rest) {
      return doors.get(request) ?? original.call(this, request, ...rest);
    };
    // ES modules see the same: their bindings of node:net are made anew from its exports.
    if (process.argv[1]?.endsWith('.mjs')) ways.replace();
  },
  register() {
    require(join(dist, 'register.cjs'));
  },
  replace() {
    for (const name of names) {
      const own = require(`node:${name}`);
      const door = require(join(dist, `${name}.cjs`));
      for (const key of Object.keys(door)) {
        if (key === 'default') continue;
        const { enumerable = true } = Object.getOwnPropertyDescriptor(own, key) ?? {};
        Object.defineProperty(own, key, {
          value: door[key],
          enumerable,
          configurable: true,
          writable: true,
        });
      }
    }
    require('node:module').syncBuiltinESMExports();
  },
};

ways[process.env.NODE_TESTS_HOW]?.();
