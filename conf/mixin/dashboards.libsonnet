// SPDX-License-Identifier: Apache-2.0
// The two dashboards: the control plane, and the exporters themselves.
local grafana = import 'grafana.libsonnet';
{
  grafanaDashboards+:: {
    local c = $._config,
    local g = grafana(c),
    local row = g.row,
    local stat = g.stat,
    local graph = g.graph,
    local table = g.table,
    local timeline = g.timeline,

    // Selectors of what is chosen: hosts, and providers where a metric has them.
    local select = (if c.selector == '' then '' else c.selector + ',') +
                   '%s=~"$%s",%s=~"$%s",instance=~"$instance"' % [c.clusterLabel, c.clusterLabel, c.siteLabel, c.siteLabel],
    local type = 'provider_type=~"$provider_type"',
    local provider = 'provider=~"$provider"',
    local startsWithAny(text, prefixes) = std.length([p for p in prefixes if std.startsWith(text, p)]) > 0,
    local byProvider = ['instance_provider:', 'virtrigaud_vm_operations_', 'virtrigaud_provider_tasks_', 'virtrigaud_circuit_breaker_'],
    local byType = byProvider + [
      'instance_provider_type:',
      'virtrigaud_provider_rpc_',
      'virtrigaud_ip_discovery_',
      'virtrigaud_vm_reconfigure_',
      'virtrigaud_vm_snapshot_',
      'virtrigaud_vm_clone_',
      'virtrigaud_vm_image_',
    ],
    local chosen(metric, more='') = '%s{%s}' % [metric, std.join(',', [
      part
      for part in [
        select,
        if startsWithAny(metric, byType) then type else '',
        if startsWithAny(metric, byProvider) then provider else '',
        more,
      ]
      if part != ''
    ])],
    // The exporter's series of its sources; the job of single providers has the same ones again.
    local ofSource(metric) = chosen(metric, 'job!="%s"' % c.providerJob),
    local ofExporter(metric) = '%s{job="%s",%s}' % [metric, c.exporterJob, select],

    // Queries. The window that Grafana finds right for the zoom holds two samples, since no step is below minStep.
    local rateWindow = '$__rate_interval',
    local rate(metric, by, more='') = 'sum by (%s) (rate(%s[%s]))' % [by, chosen(metric, more), rateWindow],
    local increase(metric, by, more='') = 'sum by (%s) (increase(%s[1h]))' % [by, chosen(metric, more)],
    local total(metric, by) = 'sum by (%s) (%s)' % [by, chosen(metric)],
    // Of classic histograms, or of native ones, of which Prometheus stores no buckets.
    local quantile(q, metric, by) = 'histogram_quantile(%g, %s) or histogram_quantile(%g, %s)' % [q, rate(metric + '_bucket', 'le, ' + by), q, rate(metric, by)],
    local ops = 'virtrigaud_vm_operations_total',
    local rpc = 'virtrigaud_provider_rpc_requests_total',
    local up = ofSource('virtrigaud_source_up'),
    local self_ = 'virtrigaud_exporter_',
    // What is recorded.
    local opsRate = chosen('instance_provider:virtrigaud_vm_operations:rate5m'),
    local failures = 'instance_provider:virtrigaud_vm_operations_failures',
    local slow = 'instance_provider_type:virtrigaud_provider_rpc_slow_per_provider_rpc_requests',
    local burns(legend, ratio) = [
      ['%s, %s' % [legend, window], '%s / %g' % [chosen('%s:ratio_rate%s' % [ratio, window]), c.thresholds.budget]]
      for window in ['1h', '6h']
    ],

    // Looks, and the runbook of the alert that a panel shows the reason of.
    local t = c.thresholds,
    local runbook(alert) = { runbooks: [{ title: 'Runbook: Virtrigaud' + alert, url: c.runbookUrl % std.asciiLower('Virtrigaud' + alert), targetBlank: true }] },
    local shares(warn, alarm) = { steps: [[null, 'green'], [warn, 'orange'], [alarm, 'red']] },
    local fewIsGood = { steps: [[null, 'green'], [1, 'red']] },
    local connected = { values: [['0', 'gone', 'red'], ['1', 'connected', 'green']] },
    local breaker = { values: [['0', 'closed', 'green'], ['1', 'half open', 'orange'], ['2', 'open', 'red']] },
    local yes = { values: [['0', 'no', 'red'], ['1', 'yes', 'green']] },
    local none = { none: 'none' },
    local host = { host: true },

    local rows = [
      row('This morning', [
        g.alerts('Alert list', 8, 'What fires or is about to, with its summary, where Grafana reads the rules of its data source.'),
        table('Alerts', 'none', 16, [
          // The name of a runbook is in lower case, which neither PromQL nor a link can make.
          ['alert', std.foldl(
            function(query, name) 'label_replace(%s, "runbook", "%s", "alertname", "%s")' % [query, std.asciiLower(name), name],
            std.objectFields(c.severities),
            'ALERTS{alertname=~"Virtrigaud.+",' + select + '}'
          )],
        ], 'Alerts of the rules that fire or are about to; the link of each leads to its runbook.', none + {
          links: [{ title: 'Runbook', url: c.runbookUrl % '${__data.fields.runbook}', targetBlank: true }],
        }),
        stat('Exporters', 'none', 3, [
          ['up', 'count(' + chosen('virtrigaud_exporter_build_info') + ')'],
        ], 'How many exporters Prometheus sees.', none + runbook('ExporterDown')),
        stat('Sources connected', 'none', 3, [
          ['connected', 'sum(%s)' % chosen('instance_component:virtrigaud_sources_connected:sum')],
        ], 'Managers and providers that are connected and keep their interval.', none),
        stat('Sources gone', 'none', 3, [
          ['gone', 'count(' + up + ') - sum(' + up + ')'],
        ], 'Known, but not connected or silent.', fewIsGood + runbook('ProviderDown')),
        stat('Breakers open', 'none', 3, [
          ['open', 'count(' + chosen('virtrigaud_circuit_breaker_state') + ' > 0) or 0 * count(' + chosen('virtrigaud_circuit_breaker_state') + ')'],
        ], 'Open or half open.', fewIsGood + runbook('BreakerOpen')),
        stat('Operations that fail', 'percentunit', 3, [
          ['share', 'sum(%s) / (sum(%s) > 0)' % [chosen(failures + ':rate5m'), opsRate]],
        ], 'Share of outcomes failure and error.', shares(0.05, t.failures) + runbook('HighErrorRate')),
        stat('Creations that succeed', 'percent', 3, [
          ['share', '100 * min(%s)' % chosen('instance_provider:virtrigaud_vm_creations_successes_per_vm_creations:ratio_rate1h')],
        ], 'Over an hour, because creations are rare; of the provider of which the fewest succeed.', { steps: [[null, 'red'], [90, 'orange'], [99, 'green']], none: 'no creations' }),
        stat('Longest queue', 'none', 3, [
          ['waiting', 'max(' + chosen('virtrigaud_queue_depth') + ')'],
        ], 'Objects of one kind that wait for a reconcile on one host.', shares(t.queue / 2, t.queue) + runbook('QueueBacklog')),
        stat('Operations', 'ops', 3, [
          ['operations', 'sum(%s)' % opsRate],
        ], 'Per second, of all chosen providers.'),
        timeline('Connected', 'none', 12, [
          ['{{instance}} {{component}} {{source}}', 'max by (instance, component, source) (' + up + ')'],
        ], '', connected + host + runbook('ProviderDown')),
        timeline('Circuit breakers', 'none', 12, [
          ['{{instance}} {{provider}}', 'max by (instance, provider_type, provider) (' + chosen('virtrigaud_circuit_breaker_state') + ')'],
        ], '', breaker + host + runbook('BreakerOpen')),
      ]),
      row('VM operations', [
        graph('Operations by provider', 'ops', 8, [
          ['{{provider_type}} {{provider}}', 'sum by (provider_type, provider) (%s)' % opsRate],
        ], ''),
        graph('Operations by outcome', 'ops', 8, [
          ['{{operation}} {{outcome}}', rate(ops, 'operation, outcome')],
        ], ''),
        graph('Share of failed operations', 'percentunit', 8, [
          ['{{instance}} {{provider}}', chosen(failures + '_per_vm_operations:ratio_rate5m')],
        ], 'VirtrigaudHighErrorRate fires above %g%%.' % (100 * t.failures), shares(t.failures / 2, t.failures) + host + runbook('HighErrorRate')),
        graph('Changes in an hour', 'none', 8, [
          ['{{operation}} {{outcome}}', increase(ops, 'operation, outcome', 'operation!="Describe"')],
        ], 'All operations but Describe.'),
        graph('Duration of operations', 's', 8, [
          ['{{operation}} p95', quantile(0.95, 'virtrigaud_vm_operations_duration_seconds', 'operation')],
        ], '95th percentile.'),
        graph('Duration of creations', 's', 8, [
          ['{{instance}} {{provider}} p95', chosen('instance_provider:virtrigaud_vm_creations_duration_seconds:p95_1h')],
        ], '95th percentile over an hour, until the creation ended. VirtrigaudSlowVMCreation fires above %g s.' % t.slowCreation, shares(t.slowCreation / 2, t.slowCreation) + host + runbook('SlowVMCreation')),
        graph('Time to the first address', 's', 8, [
          ['{{provider_type}} p95', quantile(0.95, 'virtrigaud_ip_discovery_duration_seconds', 'provider_type')],
        ], '95th percentile.'),
        graph('Reconfigurations in an hour', 'none', 4, [
          ['{{provider_type}} {{outcome}}', increase('virtrigaud_vm_reconfigure_total', 'provider_type, outcome')],
        ], ''),
        graph('Snapshots in an hour', 'none', 4, [
          ['{{action}} {{outcome}}', increase('virtrigaud_vm_snapshot_total', 'action, outcome')],
        ], ''),
        graph('Clones in an hour', 'none', 4, [
          ['linked {{linked}}, {{outcome}}', increase('virtrigaud_vm_clone_total', 'linked, outcome')],
        ], ''),
        graph('Image preparations in an hour', 'none', 4, [
          ['{{provider_type}} {{outcome}}', increase('virtrigaud_vm_image_prepare_total', 'provider_type, outcome')],
        ], ''),
      ]),
      row('Manager', [
        graph('Reconciles', 'ops', 8, [
          ['{{kind}} {{outcome}}', rate('virtrigaud_manager_reconcile_total', 'kind, outcome')],
        ], 'A healthy virtual machine ends with requeue.'),
        graph('Duration of reconciles', 's', 8, [
          ['{{kind}} p95', 'max by (kind) (%s)' % chosen('instance_kind:virtrigaud_manager_reconcile_duration_seconds:p95_5m')],
        ], '95th percentile, on the slowest host.'),
        graph('Queue', 'none', 8, [
          ['{{instance}} {{kind}}', total('virtrigaud_queue_depth', 'instance, kind')],
        ], 'VirtrigaudQueueBacklog fires above %g.' % t.queue, shares(t.queue / 2, t.queue) + host + runbook('QueueBacklog')),
        graph('Errors', 'ops', 8, [
          ['{{instance}} {{component}} {{reason}}', rate('virtrigaud_errors_total', 'instance, component, reason') + ' > 0'],
        ], 'provider-resolve means that a provider or its hypervisor cannot be reached.', none + host),
        graph('Reconciles that reach no provider', 'percentunit', 8, [
          ['{{instance}}', chosen('instance:virtrigaud_errors_unreachable_per_manager_reconcile:ratio_rate5m')],
        ], 'VirtrigaudProviderUnreachable fires above %g%%.' % (100 * t.failures), shares(t.failures / 2, t.failures) + host + runbook('ProviderUnreachable')),
        table('Builds', 'none', 8, [
          ['build', chosen('virtrigaud_build_info')],
        ], 'One row for each component that has reported its build.'),
      ]),
      row('Calls to providers', [
        graph('Calls', 'ops', 8, [
          ['{{provider_type}} {{method}}', rate(rpc, 'provider_type, method')],
        ], ''),
        graph('Share of failed calls', 'percentunit', 8, [
          ['{{instance}} {{provider_type}}', chosen('instance_provider_type:virtrigaud_provider_rpc_failures_per_provider_rpc_requests:ratio_rate5m')],
        ], '', shares(0.05, 0.1) + host),
        graph('Failed calls by code', 'ops', 8, [
          ['{{method}} {{code}}', rate(rpc, 'method, code', 'code!="OK"')],
        ], '', none),
        graph('Latency by method', 's', 8, [
          ['{{method}} p95', 'max by (method) (%s)' % chosen('instance_method:virtrigaud_provider_rpc_latency_seconds:p95_5m')],
          ['{{method}} p50', quantile(0.5, 'virtrigaud_provider_rpc_latency_seconds', 'method')],
        ], 'The 95th percentile is that of the slowest host.'),
        graph('Tasks in flight', 'none', 8, [
          ['{{instance}} {{provider}}', total('virtrigaud_provider_tasks_inflight', 'instance, provider_type, provider')],
        ], '', host),
        graph('Breaker failures in an hour', 'none', 8, [
          ['{{instance}} {{provider}}', increase('virtrigaud_circuit_breaker_failures_total', 'instance, provider_type, provider')],
        ], '', host),
      ]),
      row('Objectives', [
        graph('Burn of the budget of operations', 'none', 12, burns('{{instance}} {{provider}}', failures + '_per_vm_operations'),
              'How many times as fast as allowed VM operations fail: %g%% may.' % (100 * t.budget), shares(t.slowBurn, t.fastBurn) + host + runbook('OperationsBudgetBurn')),
        graph('Burn of the budget of slow calls', 'none', 12, burns('{{instance}} {{provider_type}}', slow),
              'How many times as fast as allowed reading calls take longer than %g s: %g%% may.' % [t.slowCall, 100 * t.budget], shares(t.slowBurn, t.fastBurn) + host + runbook('LatencyBudgetBurn')),
      ]),
      row('vSphere and libvirt', [
        graph('vSphere API calls', 'ops', 6, [
          ['{{datacenter}} {{method}}', rate('virtrigaud_vsphere_api_calls_total', 'datacenter, method')],
        ], ''),
        graph('vSphere sessions opened in an hour', 'none', 6, [
          ['{{datacenter}}', increase('virtrigaud_vsphere_sessions_total', 'datacenter')],
        ], 'Many mean that sessions expire.'),
        graph('libvirt connections opened in an hour', 'none', 6, [
          ['{{host}}', increase('virtrigaud_libvirt_connections_total', 'host')],
        ], 'Many mean that connections break.'),
        graph('libvirt domains', 'none', 6, [
          ['{{state}}', total('virtrigaud_libvirt_domains_total', 'state')],
        ], ''),
      ]),
      row('Sources', [
        graph('Silent for', 's', 8, [
          ['{{instance}} {{component}} {{source}}', 'time() - max by (instance, component, source) (' + ofSource('virtrigaud_source_last_event_timestamp_seconds') + ')'],
        ], 'An idle source may be silent, if it has promised no interval.', host),
        graph('Lines applied', 'ops', 8, [
          ['{{instance}} {{component}} {{source}}', 'sum by (instance, component, source) (rate(' + ofSource('virtrigaud_source_events_total') + '[' + rateWindow + ']))'],
        ], 'Who sends how much.', host),
        graph('Lines rejected', 'ops', 8, [
          ['{{instance}} {{component}} {{source}}', 'sum by (instance, component, source) (rate(' + ofSource('virtrigaud_source_events_rejected_total') + '[' + rateWindow + ']))'],
        ], 'virtrigaud-ctl rejects shows them.', host),
        graph('Age of the process', 's', 8, [
          ['{{instance}} {{component}} {{source}}', 'time() - max by (instance, component, source) (' + ofSource('virtrigaud_source_process_start_time_seconds') + ')'],
        ], 'A crash loop shows as teeth.', host + runbook('SourceRestarts')),
        graph('CPU of sources', 'percentunit', 8, [
          ['{{instance}} {{component}} {{source}}', 'sum by (instance, component, source) (rate(' + ofSource('virtrigaud_source_process_cpu_seconds_total') + '[' + rateWindow + ']))'],
        ], '1: one core.', host),
        graph('Memory of sources', 'bytes', 8, [
          ['{{instance}} {{component}} {{source}}', 'max by (instance, component, source) (' + ofSource('virtrigaud_source_process_resident_memory_bytes') + ')'],
        ], 'Resident.', host),
        graph('Threads of sources', 'none', 8, [
          ['{{instance}} {{component}} {{source}}', 'max by (instance, component, source) (' + ofSource('virtrigaud_source_process_threads') + ')'],
        ], '', host),
        graph('Events lost by clients in an hour', 'none', 8, [
          ['{{instance}} {{component}}', increase(self_ + 'client_lost_events_total', 'instance, component')],
        ], '', host + runbook('EventsLost')),
      ]),
    ],

    local exporterRows = [
      row('Lines', [
        graph('Lines applied', 'ops', 8, [
          ['{{instance}} {{component}}', rate(self_ + 'events_total', 'instance, component')],
        ], ''),
        graph('Lines rejected in an hour', 'none', 8, [
          ['{{instance}} {{component}} {{reason}}', increase(self_ + 'events_rejected_total', 'instance, component, reason') + ' > 0 or ' + increase(self_ + 'events_rejected_total', 'instance, component')],
        ], '', runbook('EventsRefused')),
        graph('Bytes of events', 'Bps', 8, [
          ['{{instance}}', rate(self_ + 'event_bytes_total', 'instance')],
        ], ''),
      ]),
      row('Exporter', [
        graph('Series', 'none', 8, [
          ['{{metric}}', total(self_ + 'series', 'metric')],
        ], ''),
        graph('Use of the limits', 'percentunit', 8, [
          ['{{metric}}', 'max by (metric) (' + self_ + 'series{' + select + '} / ' + self_ + 'series_limit{' + select + '})'],
        ], 'VirtrigaudSeriesLimitNear fires above %g%%.' % (100 * t.limitUse), shares(0.75, t.limitUse) + runbook('SeriesLimitNear')),
        graph('Folded, expired, not pre-created', 'ops', 8, [
          ['{{metric}} folded', rate(self_ + 'series_folded_total', 'metric')],
          ['{{metric}} expired', rate(self_ + 'series_expired_total', 'metric')],
          ['{{metric}} not pre-created', rate(self_ + 'precreate_skipped_total', 'metric')],
        ], '', runbook('SeriesFolded')),
        timeline('Series stored', 'none', 6, [
          ['{{instance}}', chosen(self_ + 'state_ok')],
        ], 'Whether all series are in the state file.', yes + runbook('StateNotSaved')),
        graph('State files set aside', 'none', 6, [
          ['{{instance}}', chosen(self_ + 'state_set_aside_total')],
        ], 'Since the start of the exporter.', fewIsGood + runbook('StateSetAside')),
        graph('Size of the state file', 'bytes', 6, [
          ['{{instance}}', chosen(self_ + 'state_bytes')],
        ], ''),
        graph('Workers', 'percentunit', 6, [
          ['{{instance}} {{worker}}', rate(self_ + 'worker_busy_seconds_total', 'instance, worker')],
        ], 'Share of the time in which a worker was busy.'),
        graph('Recognised lines', 'percentunit', 6, [
          ['{{instance}}', rate(self_ + 'cache_hits_total', 'instance') + ' / (' + rate(self_ + 'cache_hits_total', 'instance') + ' + ' + rate(self_ + 'cache_misses_total', 'instance') + ')'],
        ], 'Share of lines that need no parsing.'),
        graph('Scrapes', 'ops', 6, [
          ['{{instance}} {{format}}', rate(self_ + 'scrapes_total', 'instance, format')],
        ], ''),
        graph('Duration of scrapes', 's', 6, [
          ['{{instance}} p95', quantile(0.95, self_ + 'scrape_duration_seconds', 'instance')],
        ], ''),
        graph('Connections', 'none', 6, [
          ['{{instance}}', chosen(self_ + 'connections')],
        ], ''),
        graph('New and rejected connections', 'ops', 6, [
          ['{{instance}} new', rate(self_ + 'connections_total', 'instance')],
          ['{{instance}} refused by the system', rate(self_ + 'accept_errors_total', 'instance')],
          ['{{instance}} replies dropped', rate(self_ + 'replies_dropped_total', 'instance')],
        ], ''),
        graph('Sockets lost', 'none', 6, [
          ['{{instance}}', chosen(self_ + 'sockets_lost')],
        ], 'No new client can connect to a lost socket.', fewIsGood + runbook('SocketLost')),
        graph('Clock, ahead of evidence', 's', 6, [
          ['{{instance}} {{evidence}}', chosen(self_ + 'clock_difference_seconds')],
        ], 'How far the clock differs from what a state file, a certificate or exemplars show. Below 0 it is behind.', { steps: [[null, 'red'], [-1, 'green'], [1, 'red']] } + runbook('ClockWrong')),
        graph('Time until the certificate ends', 's', 6, [
          ['{{instance}}', chosen(self_ + 'tls_certificate_expiry_timestamp_seconds') + ' - time()'],
        ], 'Nothing without TLS.', { steps: [[null, 'red'], [c.thresholds.certificateEnds, 'green']] } + runbook('CertificateEnds')),
        graph('HTTP requests rejected', 'ops', 6, [
          ['{{instance}} passwords', rate(self_ + 'http_auth_failures_total', 'instance')],
          ['{{instance}} TLS handshakes, {{reason}}', rate(self_ + 'tls_handshake_errors_total', 'instance, reason')],
        ], ''),
        timeline('Last reload successful', 'none', 6, [
          ['{{instance}}', chosen(self_ + 'config_last_reload_successful')],
        ], '', yes + runbook('ReloadFailed')),
        graph('Time since the last reload', 's', 6, [
          ['{{instance}}', 'time() - ' + chosen(self_ + 'config_last_reload_timestamp_seconds')],
        ], ''),
        table('Versions', 'none', 6, [
          ['exporter', chosen(self_ + 'build_info')],
        ], ''),
        graph('CPU', 'percentunit', 6, [
          ['{{instance}}', 'rate(%s[%s])' % [ofExporter('process_cpu_seconds_total'), rateWindow]],
        ], '1: one core.'),
        graph('Memory', 'bytes', 6, [
          ['{{instance}} resident', ofExporter('process_resident_memory_bytes')],
        ], 'Virtual memory is large by design and not a problem.'),
        graph('Descriptors', 'none', 6, [
          ['{{instance}} open', ofExporter('process_open_fds')],
          ['{{instance}} limit', ofExporter('process_max_fds')],
        ], ''),
        graph('Uptime', 's', 6, [
          ['{{instance}}', 'time() - ' + ofExporter('process_start_time_seconds')],
        ], ''),
      ]),
    ],

    local build = 'virtrigaud_exporter_build_info',
    local hosts = [
      g.source(),
      g.values(c.clusterLabel, 'Cluster', build),
      g.values(c.siteLabel, 'Site', '%s{%s=~"$%s"}' % [build, c.clusterLabel, c.clusterLabel]),
      g.values('instance', 'Host', '%s{%s=~"$%s",%s=~"$%s"}' % [build, c.clusterLabel, c.clusterLabel, c.siteLabel, c.siteLabel]),
    ],
    local providers = [
      g.values('provider_type', 'Hypervisor', '%s{%s}' % [ops, select]),
      g.values('provider', 'Provider', '%s{%s,%s}' % [ops, select, type]),
    ],
    local started = 'changes(%s[2m]) > 0' % ofSource('virtrigaud_source_process_start_time_seconds'),
    local deployed = '%s unless last_over_time(%s[10m] offset 2m)' % [chosen('virtrigaud_build_info'), chosen('virtrigaud_build_info')],
    local restarted = 'changes(%s[2m]) > 0' % ofExporter('process_start_time_seconds'),

    'virtrigaud.json': g.dashboard(
      'virtrigaud',
      'The virtrigaud control plane, as virtrigaud-exporter counts it.',
      rows,
      hosts + providers,
      [
        g.annotation('Restarts', 'orange', started, '{{component}} {{source}} started'),
        g.annotation('Deployments', 'blue', deployed, 'version {{version}}'),
      ]
    ),
    'virtrigaud-exporter.json': g.dashboard(
      'virtrigaud-exporter',
      'The exporters themselves: lines, series, state, scrapes, resources.',
      exporterRows,
      hosts,
      [g.annotation('Restarts of exporters', 'red', restarted, 'exporter started')]
    ),
  },
}
