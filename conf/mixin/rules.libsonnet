// SPDX-License-Identifier: Apache-2.0
// Recording rules. Sums keep the labels of the host: `without` names only labels of the metrics.
local fill = import 'fill.libsonnet';
{
  prometheusRules+:: {
    local failures = 'instance_provider:virtrigaud_vm_operations_failures',
    local slow = 'instance_provider_type:virtrigaud_provider_rpc_slow',
    local q(text) = fill(text, $._config),
    // How much a counter rose in a window. One that went back by less than half continues: after a power cut it has a value
    // of some seconds before, perhaps after a 0 that Prometheus puts where it was created. increase() would add its whole
    // value. Such a series counts from its lowest value above 0, and one that began anew from its lowest value.
    local rise(series, window) =
      local step = if window == '6h' then '5m' else '1m';
      std.join('\n', [
        '(increase(%s[%s]) unless resets(%s[%s]) > 0)' % [series, window, series, window],
        '  or (%s - min_over_time((%s > 0)[%s:%s]) and %s > 0.5 * max_over_time(%s[%s]))' % [series, series, window, step, series, series, window],
        '  or %s - min_over_time(%s[%s])' % [series, series, window],
      ]),
    local sum(without, what, per='') =
      'sum without (%s) (\n  %s\n)%s' % [without, std.strReplace(what, '\n', '\n  '), per],
    local reading = 'method=~"Validate|DescribeVM|TaskStatus|GetCapabilities"',
    local calls(le, window) = rise('virtrigaud_provider_rpc_latency_seconds_bucket{$of,%s,le%s}' % [reading, le], window),
    // Where Prometheus stores native histograms there are no buckets to ask for, and elsewhere nothing has the histogram's own
    // name: each query asks for the one and, behind `or`, for the other. What went back is not looked at there, since there
    // is no difference of two native histograms that were stored.
    local native(without, series, window) = 'sum without (%s) (increase(%s[%s]))' % [without, series, window],
    local nativeCalls(window) = native('method', 'virtrigaud_provider_rpc_latency_seconds{$of,%s}' % reading, window),
    local nativeCreations = native('operation', 'virtrigaud_vm_operations_duration_seconds{$of,operation="Create"}', '1h'),
    // How many observations are above a bound: 0, not absent, where there is none.
    local above(histogram, bound) = std.join('\n', [
      '(histogram_count(%s) > 0) * (1 - histogram_fraction(-Inf, %s, %s))' % [histogram, bound, histogram],
      '  or 0 * histogram_count(%s)' % histogram,
    ]),
    local indent(text, by) = std.strReplace(text, '\n', '\n' + by),
    local operations(more, window) = rise('virtrigaud_vm_operations_total{$of%s}' % more, window),
    local source = 'virtrigaud_source_up{$of,job!="$provider_job"}',
    local left = 'instance_component_source:virtrigaud_source_left:last15m',
    local new = 'instance_component_source:virtrigaud_source_new:last1h',
    local asBefore(lowest) =
      local connected = 'instance_component:virtrigaud_sources_connected';
      '(last_over_time(%s:sum[$gap]) >= max_over_time(%s:min%s[20m]))' % [connected, connected, lowest],
    local succeeded = 'last_over_time(%s[$gap]) == 0 and last_over_time(instance_component_source:virtrigaud_source_left:succeeded15m[8d]) == 1' % source,
    local wrong = ',outcome=~"failure|error"',
    local all = '="+Inf"',
    local fast = '=~"%(slowCall)g([.]0)?"',
    local changes = ',operation!="Describe"',
    groups+: [
      {
        name: 'virtrigaud.recording',
        rules: [
          {
            why:: |||
              VM operations per second, of each host and of each provider there.
            |||,
            record: 'instance:virtrigaud_vm_operations:rate5m',
            expr: q('sum without (operation, provider_type, provider, outcome) (rate(virtrigaud_vm_operations_total{$of}[5m]))'),
          },
          {
            record: 'instance_provider:virtrigaud_vm_operations:rate5m',
            expr: q('sum without (operation, outcome) (rate(virtrigaud_vm_operations_total{$of}[5m]))'),
          },
          {
            why:: |||
              Share of VM operations that failed: 0, not absent, when none is known to have failed. Almost all operations of
              a quiet day are Describe: these detect a fault of the whole provider, those of changes below detect faults of
              operations that change something.
            |||,
            record: 'instance_provider:virtrigaud_vm_operations_failures:rate5m',
            expr: q(|||
              sum without (operation, outcome) (rate(virtrigaud_vm_operations_total{$of,outcome=~"failure|error"}[5m]))
                or 0 * instance_provider:virtrigaud_vm_operations:rate5m
            |||),
          },
          {
            record: 'instance_provider:virtrigaud_vm_operations_failures_per_vm_operations:ratio_rate5m',
            expr: q(|||
              instance_provider:virtrigaud_vm_operations_failures:rate5m
                / (instance_provider:virtrigaud_vm_operations:rate5m > 0)
            |||),
          },
          {
            why:: |||
              Changes of VMs and those that failed, over an hour because changes are rare.
              A counter that went back by less than half continues, as after a power cut, and counts from its lowest value above 0
              (Prometheus may put a 0 where a series was created); one that began anew counts from its lowest value.
            |||,
            record: 'instance_provider:virtrigaud_vm_changes:increase1h',
            expr: q(sum('operation, outcome', operations(changes, '1h'))),
          },
          {
            record: 'instance_provider:virtrigaud_vm_changes_failures:increase1h',
            expr: q(sum('operation, outcome', operations(changes + wrong, '1h'))),
          },
          {
            record: 'instance_provider:virtrigaud_vm_changes_failures_per_vm_changes:ratio_increase1h',
            expr: q(|||
              instance_provider:virtrigaud_vm_changes_failures:increase1h
                / (instance_provider:virtrigaud_vm_changes:increase1h > 0)
            |||),
          },
          {
            why:: |||
              Share of VM creations that succeeded; 0, not absent, when all of them failed.
            |||,
            record: 'instance_provider:virtrigaud_vm_creations_successes_per_vm_creations:ratio_rate1h',
            expr: q(|||
              (
                sum without (operation, outcome) (
                  rate(virtrigaud_vm_operations_total{$of,operation="Create",outcome="success"}[1h])
                )
                  or 0 * sum without (operation, outcome) (
                    rate(virtrigaud_vm_operations_total{$of,operation="Create"}[1h])
                  )
              )
                / (
                  sum without (operation, outcome) (
                    rate(virtrigaud_vm_operations_total{$of,operation="Create"}[1h])
                  ) > 0
                )
            |||),
          },
          {
            why:: |||
              Durations of VM creations of the last hour, with the same care for counters that went back; their 95th
              percentile; how many were slow. `le` is "600" in text and "600.0" in OpenMetrics.
            |||,
            record: 'instance_provider_le:virtrigaud_vm_creations_duration_seconds_bucket:increase1h',
            expr: q(sum('operation', rise('virtrigaud_vm_operations_duration_seconds_bucket{$of,operation="Create"}', '1h'))),
          },
          {
            record: 'instance_provider:virtrigaud_vm_creations_duration_seconds:p95_1h',
            expr: q(|||
              histogram_quantile(0.95, instance_provider_le:virtrigaud_vm_creations_duration_seconds_bucket:increase1h)
                or histogram_quantile(0.95, %s)
            ||| % nativeCreations),
          },
          {
            record: 'instance_provider:virtrigaud_vm_creations_slow:increase1h',
            expr: q(|||
              sum without (le) (instance_provider_le:virtrigaud_vm_creations_duration_seconds_bucket:increase1h{le="+Inf"})
                - sum without (le) (instance_provider_le:virtrigaud_vm_creations_duration_seconds_bucket:increase1h{le=~"%(slowCreation)g([.]0)?"})
            ||| + '  or ' + above(nativeCreations, '%(slowCreation)g') + '\n'),
          },
          {
            why:: |||
              Share of calls to providers whose status is not OK; 95th percentiles of calls by method, and of reconciles.
            |||,
            record: 'instance_provider_type:virtrigaud_provider_rpc_failures_per_provider_rpc_requests:ratio_rate5m',
            expr: q(|||
              (
                sum without (method, code) (rate(virtrigaud_provider_rpc_requests_total{$of,code!="OK"}[5m]))
                  or 0 * sum without (method, code) (rate(virtrigaud_provider_rpc_requests_total{$of}[5m]))
              )
                / (sum without (method, code) (rate(virtrigaud_provider_rpc_requests_total{$of}[5m])) > 0)
            |||),
          },
          {
            record: 'instance_method:virtrigaud_provider_rpc_latency_seconds:p95_5m',
            expr: q(|||
              histogram_quantile(0.95, sum without (provider_type) (rate(virtrigaud_provider_rpc_latency_seconds_bucket{$of}[5m])))
                or histogram_quantile(0.95, sum without (provider_type) (rate(virtrigaud_provider_rpc_latency_seconds{$of}[5m])))
            |||),
          },
          {
            record: 'instance_kind:virtrigaud_manager_reconcile_duration_seconds:p95_5m',
            expr: q(|||
              histogram_quantile(0.95, rate(virtrigaud_manager_reconcile_duration_seconds_bucket{$of}[5m]))
                or histogram_quantile(0.95, rate(virtrigaud_manager_reconcile_duration_seconds{$of}[5m]))
            |||),
          },
          {
            why:: |||
              Reconciles that end with an error, and their share.
            |||,
            record: 'instance_kind:virtrigaud_manager_reconcile_failures:rate15m',
            expr: q('sum without (outcome) (rate(virtrigaud_manager_reconcile_total{$of,outcome=~"failure|error"}[15m]))'),
          },
          {
            record: 'instance_kind:virtrigaud_manager_reconcile_failures_per_manager_reconcile:ratio_rate15m',
            expr: q(|||
              instance_kind:virtrigaud_manager_reconcile_failures:rate15m
                / (sum without (outcome) (rate(virtrigaud_manager_reconcile_total{$of}[15m])) > 0)
            |||),
          },
          {
            why:: |||
              Reconciles that could not reach the provider or its hypervisor. Validate answers OK even if vCenter cannot be
              reached, and no VM operation is counted then: only the errors show it. The metric has no label for the provider.
            |||,
            record: 'instance:virtrigaud_errors_unreachable:rate5m',
            expr: q(|||
              sum without (component, reason) (
                rate(virtrigaud_errors_total{$of,component="manager",reason=~"provider-resolve|ConnectionFailed|AuthenticationError"}[5m])
              )
            |||),
          },
          {
            record: 'instance:virtrigaud_errors_unreachable_per_manager_reconcile:ratio_rate5m',
            expr: q(|||
              instance:virtrigaud_errors_unreachable:rate5m
                / (sum without (kind, outcome) (rate(virtrigaud_manager_reconcile_total{$of}[5m])) > 0)
            |||),
          },
          {
            why:: |||
              Connected sources of each host and component: now, and the lowest number of 10 and of 40 minutes, which leaves
              out the time in which an old and a new one are both connected. What is connected again at once, as after a
              restart of the exporter, was never gone. The job of single providers has the same series again.
            |||,
            record: 'instance_component:virtrigaud_sources_connected:sum',
            expr: q('sum without (source) (%s)' % source),
          },
        ] + [
          {
            record: 'instance_component:virtrigaud_sources_connected:min%dm' % minutes,
            expr: q('min_over_time((sum without (source) (max_over_time(%s[$gap])))[%dm:1m])' % [source, minutes]),
          }
          for minutes in [10, 40]
        ] + [
          {
            why:: |||
              Connected sources of which nothing was known an hour ago, while others of their component were.
            |||,
            record: 'instance_component_source:virtrigaud_source_new:last1h',
            expr: q(|||
              last_over_time(%s[$gap]) == 1
                unless last_over_time(%s[1h] offset 1h)
                and ignoring (source) last_over_time(instance_component:virtrigaud_sources_connected:sum[1h] offset 1h)
            ||| % [source, source]),
          },
          {
            why:: |||
              Sources that left in the last 15 minutes, and whether another one took the place of each (1) or not (0): a new
              one has come, and as many are connected as before. Both may have been connected for half an hour, or for some
              minutes if the one that left was itself new.
            |||,
            record: 'instance_component_source:virtrigaud_source_left:last15m',
            expr: q('last_over_time(%s[$gap]) == 0 and max_over_time(%s[15m]) == 1' % [source, source]),
          },
          {
            record: 'instance_component_source:virtrigaud_source_left:succeeded15m',
            expr: q(|||
              1 + (
                (
                  %(left)s and ignoring (source) %(asBefore10m)s
                    or (%(left)s and last_over_time(%(source)s[1h] offset 1h)) and ignoring (source) %(asBefore40m)s
                )
                  and ignoring (source) %(new)s
              )
                or %(left)s
            ||| % { left: left, source: source, asBefore10m: asBefore('10m'), asBefore40m: asBefore('40m'), new: new }),
          },
          {
            why:: |||
              Sources that are gone and replaced, while as many new ones are known: all are gone if these were taken away.
            |||,
            record: 'instance_component_source:virtrigaud_source_replaced:last8d',
            expr: q(|||
              %(succeeded)s
                and ignoring (source) (
                  count without (source) (last_over_time(%(source)s[$gap]) and last_over_time(%(new)s[8d]))
                    >= count without (source) (%(succeeded)s)
                )
            ||| % { succeeded: succeeded, source: source, new: new }),
          },
          {
            why:: |||
              Lines of managers in the quietest ten minutes of half an hour: above 0 where a manager runs, and not where single
              events come from a shell.
            |||,
            record: 'instance:virtrigaud_manager_events_increase10m:min30m',
            expr: q(|||
              min_over_time(increase(virtrigaud_exporter_events_total{$of,component="manager"}[10m])[30m:5m])
                and count_over_time(increase(virtrigaud_exporter_events_total{$of,component="manager"}[10m])[30m:5m]) > 5
            |||),
          },
        ],
      },
      {
        name: 'virtrigaud.objectives',
        why:: |||
          Objectives: 99 % of the VM operations succeed, and 99 % of the calls that only read return within 10 s. A burn of 1
          uses the budget of 1 % exactly; the alerts compare a long and a short window.
        |||,
        rules: std.flattenArrays([
          [
            {
              record: failures + ':rate1h',
              expr: q(sum('operation, outcome', operations(wrong, '1h'), ' / 3600')),
            },
          ],
        ] + [
          [
            {
              record: '%s_per_vm_operations:ratio_rate%s' % [failures, window],
              expr: q('%s\n  / (%s > 0)' % [
                sum('operation, outcome', operations(wrong, window)),
                std.strReplace(sum('operation, outcome', operations('', window)), '\n', '\n  '),
              ]),
            },
          ]
          // That of 5 minutes is recorded above.
          for window in ['30m', '1h', '6h']
        ] + [
          [
            {
              record: '%s:rate%s' % [slow, window.name],
              expr: q('(\n  %s\n    - %s\n  or %s\n) / %d' % [
                indent(sum('method, le', calls(all, window.name)), '  '),
                indent(sum('method, le', calls(fast, window.name)), '    '),
                indent(above(nativeCalls(window.name), '%(slowCall)g'), '  '),
                window.seconds,
              ]),
            },
            {
              record: '%s_per_provider_rpc_requests:ratio_rate%s' % [slow, window.name],
              expr: q('%s:rate%s\n  / ((\n    %s\n      or histogram_count(%s)\n  ) / %d > 0)' % [
                slow,
                window.name,
                indent(sum('method, le', calls(all, window.name)), '    '),
                nativeCalls(window.name),
                window.seconds,
              ]),
            },
          ]
          for window in [
            { name: '5m', seconds: 300 },
            { name: '30m', seconds: 1800 },
            { name: '1h', seconds: 3600 },
            { name: '6h', seconds: 21600 },
          ]
        ]),
      },
    ],
  },
}
