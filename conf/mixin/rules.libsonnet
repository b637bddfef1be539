// SPDX-License-Identifier: Apache-2.0
// Recording rules. Sums keep the labels of the host: `without` names only labels of the metrics.
local fill = import 'fill.libsonnet';
{
  prometheusRules+:: {
    local failures = 'instance_provider:virtrigaud_vm_operations_failures',
    local slow = 'instance_provider_type:virtrigaud_provider_rpc_slow',
    local reads = 'method=~"Validate|DescribeVM|TaskStatus|GetCapabilities"',
    local q(text, window='') = std.strReplace(std.strReplace(std.strReplace(
      fill(text, $._config), 'READS', reads), 'SLOW', slow), 'WINDOW', window),
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
              Share of VM operations that failed. Almost all operations of a quiet day are Describe: these detect a fault of
              the whole provider, those of changes below detect faults of operations that change something.
            |||,
            record: 'instance:virtrigaud_vm_operations_failures_per_vm_operations:ratio_rate5m',
            expr: q(|||
              sum without (operation, provider_type, provider, outcome) (rate(virtrigaud_vm_operations_total{$of,outcome=~"failure|error"}[5m]))
                / (instance:virtrigaud_vm_operations:rate5m > 0)
            |||),
          },
          {
            record: 'instance_provider:virtrigaud_vm_operations_failures:rate5m',
            expr: q('sum without (operation, outcome) (rate(virtrigaud_vm_operations_total{$of,outcome=~"failure|error"}[5m]))'),
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
              Changes of VMs and those that failed, over an hour because changes are rare. A counter that went back is not
              always one that began anew: after a power cut it continues with a value of some seconds before. increase() would
              add its whole value. Such a series counts from its lowest value of the hour instead.
            |||,
            record: 'instance_provider:virtrigaud_vm_changes:increase1h',
            expr: q(|||
              sum without (operation, outcome) (
                (
                  increase(virtrigaud_vm_operations_total{$of,operation!="Describe"}[1h])
                    unless resets(virtrigaud_vm_operations_total{$of,operation!="Describe"}[1h]) > 0
                )
                  or virtrigaud_vm_operations_total{$of,operation!="Describe"}
                    - min_over_time(virtrigaud_vm_operations_total{$of,operation!="Describe"}[1h])
              )
            |||),
          },
          {
            record: 'instance_provider:virtrigaud_vm_changes_failures:increase1h',
            expr: q(|||
              sum without (operation, outcome) (
                (
                  increase(virtrigaud_vm_operations_total{$of,operation!="Describe",outcome=~"failure|error"}[1h])
                    unless resets(virtrigaud_vm_operations_total{$of,operation!="Describe",outcome=~"failure|error"}[1h]) > 0
                )
                  or virtrigaud_vm_operations_total{$of,operation!="Describe",outcome=~"failure|error"}
                    - min_over_time(virtrigaud_vm_operations_total{$of,operation!="Describe",outcome=~"failure|error"}[1h])
              )
            |||),
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
            record: 'instance:virtrigaud_vm_creations_successes_per_vm_creations:ratio_rate1h',
            expr: q(|||
              (
                sum without (operation, provider_type, provider, outcome) (
                  rate(virtrigaud_vm_operations_total{$of,operation="Create",outcome="success"}[1h])
                )
                  or 0 * sum without (operation, provider_type, provider, outcome) (
                    rate(virtrigaud_vm_operations_total{$of,operation="Create"}[1h])
                  )
              )
                / (
                  sum without (operation, provider_type, provider, outcome) (
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
            expr: q(|||
              sum without (operation) (
                (
                  increase(virtrigaud_vm_operations_duration_seconds_bucket{$of,operation="Create"}[1h])
                    unless resets(virtrigaud_vm_operations_duration_seconds_bucket{$of,operation="Create"}[1h]) > 0
                )
                  or virtrigaud_vm_operations_duration_seconds_bucket{$of,operation="Create"}
                    - min_over_time(virtrigaud_vm_operations_duration_seconds_bucket{$of,operation="Create"}[1h])
              )
            |||),
          },
          {
            record: 'instance_provider:virtrigaud_vm_creations_duration_seconds:p95_1h',
            expr: q('histogram_quantile(0.95, instance_provider_le:virtrigaud_vm_creations_duration_seconds_bucket:increase1h)'),
          },
          {
            record: 'instance_provider:virtrigaud_vm_creations_slow:increase1h',
            expr: q(|||
              sum without (le) (instance_provider_le:virtrigaud_vm_creations_duration_seconds_bucket:increase1h{le="+Inf"})
                - sum without (le) (instance_provider_le:virtrigaud_vm_creations_duration_seconds_bucket:increase1h{le=~"%(slowCreation)g([.]0)?"})
            |||),
          },
          {
            why:: |||
              Share of calls to providers whose status is not OK; 95th percentiles of calls by method, and of reconciles.
            |||,
            record: 'instance_provider_type:virtrigaud_provider_rpc_failures_per_provider_rpc_requests:ratio_rate5m',
            expr: q(|||
              sum without (method, code) (rate(virtrigaud_provider_rpc_requests_total{$of,code!="OK"}[5m]))
                / (sum without (method, code) (rate(virtrigaud_provider_rpc_requests_total{$of}[5m])) > 0)
            |||),
          },
          {
            record: 'instance_method:virtrigaud_provider_rpc_latency_seconds:p95_5m',
            expr: q(|||
              histogram_quantile(0.95, sum without (provider_type) (rate(virtrigaud_provider_rpc_latency_seconds_bucket{$of}[5m])))
            |||),
          },
          {
            record: 'instance_kind:virtrigaud_manager_reconcile_duration_seconds:p95_5m',
            expr: q('histogram_quantile(0.95, rate(virtrigaud_manager_reconcile_duration_seconds_bucket{$of}[5m]))'),
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
              Connected sources of each host and component: now, and the lowest number of 15 minutes, which leaves out the
              moment in which an old and a new one are both connected. The job of single providers has the same series again.
            |||,
            record: 'instance_component:virtrigaud_sources_connected:sum',
            expr: q('sum without (source) (virtrigaud_source_up{$of,job!="$provider_job"})'),
          },
          {
            record: 'instance_component:virtrigaud_sources_connected:min15m',
            expr: q('min_over_time(instance_component:virtrigaud_sources_connected:sum[15m])'),
          },
          {
            why:: |||
              Lines of managers in the quietest ten minutes of an hour: above 0 where a manager runs, and not where single
              events come from a shell.
            |||,
            record: 'instance:virtrigaud_manager_events_increase10m:min1h',
            expr: q(|||
              min_over_time(increase(virtrigaud_exporter_events_total{$of,component="manager"}[10m])[1h:5m])
                and count_over_time(increase(virtrigaud_exporter_events_total{$of,component="manager"}[10m])[1h:5m]) > 10
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
              expr: q('sum without (operation, outcome) (rate(virtrigaud_vm_operations_total{$of,outcome=~"failure|error"}[1h]))'),
            },
          ],
        ] + [
          [
            {
              record: '%s_per_vm_operations:ratio_rate%s' % [failures, window],
              expr: q(|||
                sum without (operation, outcome) (rate(virtrigaud_vm_operations_total{$of,outcome=~"failure|error"}[WINDOW]))
                  / (sum without (operation, outcome) (rate(virtrigaud_vm_operations_total{$of}[WINDOW])) > 0)
              |||, window),
            },
          ]
          // That of 5 minutes is recorded above.
          for window in ['30m', '1h', '6h']
        ] + [
          [
            {
              record: '%s:rate%s' % [slow, window],
              expr: q(|||
                sum without (method, le) (rate(virtrigaud_provider_rpc_latency_seconds_bucket{$of,READS,le="+Inf"}[WINDOW]))
                  - sum without (method, le) (rate(virtrigaud_provider_rpc_latency_seconds_bucket{$of,READS,le=~"%(slowCall)g([.]0)?"}[WINDOW]))
              |||, window),
            },
            {
              record: '%s_per_provider_rpc_requests:ratio_rate%s' % [slow, window],
              expr: q(|||
                SLOW:rateWINDOW
                  / (sum without (method, le) (rate(virtrigaud_provider_rpc_latency_seconds_bucket{$of,READS,le="+Inf"}[WINDOW])) > 0)
              |||, window),
            },
          ]
          for window in ['5m', '30m', '1h', '6h']
        ]),
      },
    ],
  },
}
