// SPDX-License-Identifier: Apache-2.0
// prom-client in the modes counter, memory and scrape of bench/README.md. It has no gzip of its own.
'use strict';

const fs = require('fs');
const http = require('http');
const prom = require('prom-client');

const OPERATIONS = ['Create', 'Delete', 'Power', 'Describe', 'Reconfigure'];
const TYPES = ['vsphere', 'libvirt', 'proxmox', 'mock'];
const OUTCOMES = ['success', 'failure', 'error'];
const BOUNDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300];
const AT_ONCE = 10000;
const MOST_EVENTS = 2000000;
const LONGEST_NS = 2e9;
const REPEATS = process.env.BENCH_QUICK === '1' ? 2 : 5;

const registry = new prom.Registry();
const counter = new prom.Counter({
  name: 'virtrigaud_vm_operations_total',
  help: 'VM operations.',
  labelNames: ['operation', 'provider_type', 'provider', 'outcome'],
  registers: [registry],
});
const histogram = new prom.Histogram({
  name: 'virtrigaud_timing_seconds',
  help: 'Time of a VM operation.',
  labelNames: ['operation', 'provider_type', 'provider'],
  buckets: BOUNDS,
  registers: [registry],
});

function providers(n, perProvider) {
  return Array.from({ length: Math.ceil(n / perProvider) }, (_, i) => 'provider-' + String(i).padStart(6, '0'));
}

// A number of one to seven digits.
function firstValue(i) {
  return 1 + ((i * 40503) % (10 ** (1 + (i % 7)) - 1));
}

function count(i, provider, n) {
  counter.inc(
    {
      operation: OPERATIONS[i % 5],
      provider_type: TYPES[Math.floor(i / 5) % 4],
      provider: provider[Math.floor(i / 60)],
      outcome: OUTCOMES[Math.floor(i / 20) % 3],
    },
    n,
  );
}

function observeAll(n, provider) {
  for (let i = 0; i < n; i++) {
    const labels = {
      operation: OPERATIONS[i % 5],
      provider_type: TYPES[Math.floor(i / 5) % 4],
      provider: provider[Math.floor(i / 20)],
    };
    for (const bound of BOUNDS) {
      histogram.observe(labels, bound * 0.9);
    }
  }
}

// Makes n series with values. Returns what changes them all.
function fill(n, buckets) {
  if (buckets > 0) {
    const provider = providers(n, 20);
    observeAll(n, provider);
    return () => observeAll(n, provider);
  }
  const provider = providers(n, 60);
  for (let i = 0; i < n; i++) {
    count(i, provider, firstValue(i));
  }
  return () => {
    for (let i = 0; i < n; i++) {
      count(i, provider, 1 + (i % 9));
    }
  };
}

function median(values) {
  values.sort((a, b) => a - b);
  const middle = values.length >> 1;
  return values.length % 2 === 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

function measureCounter(n) {
  fill(n, 0);
  const provider = providers(n, 60);
  const order = new Int32Array(AT_ONCE);
  const measured = [];
  let state = 2463534242;
  for (let repetition = 0; repetition < REPEATS; repetition++) {
    let spent = 0;
    let events = 0;
    for (; events < MOST_EVENTS && spent < LONGEST_NS; events += AT_ONCE) {
      for (let i = 0; i < AT_ONCE; i++) {
        state ^= state << 13;
        state ^= state >>> 17;
        state ^= state << 5;
        order[i] = (state >>> 0) % n;
      }
      const start = process.hrtime.bigint();
      for (let i = 0; i < AT_ONCE; i++) {
        count(order[i], provider, 1);
      }
      spent += Number(process.hrtime.bigint() - start);
    }
    measured.push(spent / events);
  }
  return { ns_per_event: median(measured) };
}

function measureMemory(n, buckets) {
  global.gc();
  const before = process.memoryUsage().rss;
  fill(n, buckets);
  global.gc();
  return { bytes_per_series: (process.memoryUsage().rss - before) / n };
}

function serve(n, buckets, listen) {
  const change = fill(n, buckets);
  const server = http.createServer(async (request, response) => {
    if (request.url === '/change') {
      change();
      response.end('ok\n');
      return;
    }
    response.setHeader('Content-Type', registry.contentType);
    response.end(await registry.metrics());
  });
  const [host, port] = listen.split(':');
  server.listen(Number(port), host, () => fs.writeSync(1, `ready ${process.pid}\n`));
  process.on('SIGTERM', () => process.exit(0));
  process.stdin.on('end', () => process.exit(0)).resume();
}

function main(mode, flags) {
  const given = {};
  for (let i = 0; i < flags.length; i += 2) {
    given[flags[i].replace(/^--/, '')] = flags[i + 1];
  }
  const n = Number(given.series);
  const buckets = Number(given.buckets || 0);
  if (buckets !== 0 && buckets !== BOUNDS.length) {
    console.log(`SKIP: the histograms have ${BOUNDS.length} buckets`);
  } else if (mode === 'counter') {
    console.log(JSON.stringify(measureCounter(n)));
  } else if (mode === 'memory') {
    console.log(JSON.stringify(measureMemory(n, buckets)));
  } else if (mode === 'scrape') {
    serve(n, buckets, given.listen);
  } else {
    console.log(`SKIP: no mode ${mode}`);
  }
}

main(process.argv[2], process.argv.slice(3));
