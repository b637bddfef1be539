// SPDX-License-Identifier: Apache-2.0
// Alerts. Each has its severity and thresholds in config.libsonnet, and its runbook in docs/alerts.md.
local fill = import 'fill.libsonnet';
{
  prometheusAlerts+:: {
    local c = $._config,
    local t = c.thresholds,
    local q(text) = fill(text, c),
    local alert(name, labels={}) = {
      local rule = self,
      alert: name,
      labels: { severity: c.severities[name] } + labels,
      annotations: {
        summary: rule.summary,
        description: rule.description,
        runbook_url: c.runbookUrl % std.asciiLower(name),
      },
    },
    // For how long the sources of an expression have been silent. The time is not known of all.
    local silence(sources) = '(\n  time() - last_over_time(virtrigaud_source_last_event_timestamp_seconds{$of,job!="$provider_job"}[$gap])\n    and %s\n)\n  or %s' % [sources, sources],
    local down(component) = q(silence('(last_over_time(virtrigaud_source_up{$of,job!="$provider_job",component="%s"}[$gap]) == 0 unless instance_component_source:virtrigaud_source_replaced:last8d)' % component)),
    // A budget burns when both a long window and a short one show it: it has for long, and still does.
    local speeds = [
      { name: 'fast', burn: t.fastBurn, long: '1h', short: '5m', wait: '6m' },
      { name: 'slow', burn: t.slowBurn, long: '6h', short: '30m', wait: '15m' },
    ],
    local burn(name, speed, bad, every) = alert(name, { burn: speed.name }) {
      local ratio = '%s_per_%s:ratio_rate' % [bad, every],
      local limit = '%g' % (t.budget * speed.burn),
      expr: |||
        %s > %s
          and %s > %s
          and %s:rate1h * 3600 > %g
      ||| % [ratio + speed.long, limit, ratio + speed.short, limit, bad, t.budgetEvents],
      'for': speed.wait,
    },
    groups+: [
      {
        name: 'virtrigaud.alerts',
        rules: [
          alert('VirtrigaudProviderDown') {
            why:: |||
              A source that another one has replaced is not down: VirtrigaudSourceReplaced names it. last_over_time() bridges
              failed scrapes; while the exporter itself is down there is no series, and only VirtrigaudExporterDown fires.
            |||,
            expr: down('provider'),
            'for': '5m',
            summary:: 'Provider {{ $labels.source }} on {{ $labels.instance }} is down{{ if $value }}: silent for {{ $value | humanizeDuration }}{{ end }}',
            description:: 'Provider {{ $labels.source }} has not been connected to the exporter {{ $labels.instance }}, or has not kept its interval, for 5 minutes.',
          },
          alert('VirtrigaudManagerDown') {
            expr: down('manager'),
            'for': '5m',
            summary:: 'Manager {{ $labels.source }} on {{ $labels.instance }} is down{{ if $value }}: silent for {{ $value | humanizeDuration }}{{ end }}',
            description:: 'Manager {{ $labels.source }} has not been connected to the exporter {{ $labels.instance }}, or has not kept its interval, for 5 minutes.',
          },
          alert('VirtrigaudSourceReplaced') {
            expr: q(silence('instance_component_source:virtrigaud_source_replaced:last8d')),
            'for': '1h',
            summary:: 'The {{ $labels.component }} {{ $labels.source }} on {{ $labels.instance }} seems to have another name now{{ if $value }}: silent for {{ $value | humanizeDuration }}{{ end }}',
            description:: '{{ $labels.source }} has been gone for an hour, and another {{ $labels.component }} came to {{ $labels.instance }} about when it went. Forget it if it was renamed.',
          },
          alert('VirtrigaudManagerSilent') {
            why:: |||
              Managers that say no instance are no source: theirs is known only by what they send.
            |||,
            expr: q(|||
              max_over_time(instance:virtrigaud_manager_events_increase10m:min30m[1d]) > 0
                and increase(virtrigaud_exporter_events_total{$of,component="manager"}[15m]) == 0
                unless ignoring (source) group without (source) (virtrigaud_source_up{$of,component="manager"})
            |||),
            'for': '5m',
            summary:: 'The manager on {{ $labels.instance }} sends nothing, and used to send {{ $value | printf "%.0f" }} lines or more in ten minutes',
            description:: 'The exporter {{ $labels.instance }} has received nothing from a manager for 15 minutes, and did before.',
          },
          alert('VirtrigaudSourceMissing') {
            why:: |||
              Fires only where virtrigaud_source_expected is recorded: see docs/alerts.md.
            |||,
            expr: q(|||
              virtrigaud_source_expected
                * on (instance) group_left () max by (instance) (
                  time() - last_over_time(process_start_time_seconds{$of}[$gap])
                    and ignoring (version, revision) last_over_time(virtrigaud_exporter_build_info{$of}[$gap])
                )
                unless on (instance, component, source) last_over_time(virtrigaud_source_up{$of,job!="$provider_job"}[5m])
            |||),
            'for': '10m',
            summary:: 'The {{ $labels.component }} {{ $labels.source }} on {{ $labels.instance }} has not come in the {{ $value | humanizeDuration }} since its exporter started',
            description:: '{{ $labels.source }} is expected on {{ $labels.instance }}, and the exporter there has not heard of it since it started.',
          },
          alert('VirtrigaudSourceRestarts') {
            why:: |||
              A process that starts again and again is connected whenever it is looked at.
            |||,
            expr: q(|||
              changes(virtrigaud_source_process_start_time_seconds{$of,job!="$provider_job"}[15m]) >= %(restarts)g
                or changes(virtrigaud_source_up{$of,job!="$provider_job"}[15m]) >= %(connectionChanges)g
            |||),
            summary:: 'The {{ $labels.component }} {{ $labels.source }} on {{ $labels.instance }} started, or came and went, {{ $value }} times in 15 minutes',
            description:: 'The process of {{ $labels.source }} on {{ $labels.instance }} does not stay, though it is connected whenever one looks.',
          },
          alert('VirtrigaudHighErrorRate', { scope: 'all' }) {
            expr: q(|||
              instance_provider:virtrigaud_vm_operations_failures_per_vm_operations:ratio_rate5m > %(failures)g
                and instance_provider:virtrigaud_vm_operations_failures:rate5m > %(failureRate)g
            |||),
            'for': '10m',
            summary:: '{{ $value | humanizePercentage }} of the VM operations on {{ $labels.provider }} on {{ $labels.instance }} fail',
            description:: '{{ $value | humanizePercentage }} of the VM operations that the host {{ $labels.instance }} sent to {{ $labels.provider }} in the last 5 minutes failed.',
          },
          alert('VirtrigaudHighErrorRate', { scope: 'changes' }) {
            expr: q(|||
              instance_provider:virtrigaud_vm_changes_failures_per_vm_changes:ratio_increase1h > %(failures)g
                and instance_provider:virtrigaud_vm_changes_failures:increase1h > %(failedChanges)g
            |||),
            'for': '10m',
            summary:: '{{ $value | humanizePercentage }} of the changes of VMs on {{ $labels.provider }} on {{ $labels.instance }} fail',
            description:: '{{ $value | humanizePercentage }} of the changes of VMs that the host {{ $labels.instance }} sent to {{ $labels.provider }} in the last hour failed.',
          },
          alert('VirtrigaudProviderUnreachable', { scope: 'errors' }) {
            expr: q(|||
              instance:virtrigaud_errors_unreachable_per_manager_reconcile:ratio_rate5m > %(failures)g
                and instance:virtrigaud_errors_unreachable:rate5m > %(failureRate)g
            |||),
            'for': '10m',
            summary:: '{{ $value | humanizePercentage }} of the reconciles on {{ $labels.instance }} do not reach their provider',
            description:: '{{ $value | humanizePercentage }} of the reconciles of the manager on {{ $labels.instance }} end because a provider or its hypervisor cannot be reached.',
          },
          alert('VirtrigaudProviderUnreachable', { scope: 'successes' }) {
            expr: q(|||
              sum without (operation, outcome) (increase(virtrigaud_vm_operations_total{$of,outcome="success"}[6h] offset 15m)) > %(usualSuccesses)g
                and sum without (operation, outcome) (increase(virtrigaud_vm_operations_total{$of,outcome="success"}[15m])) == 0
                and ignoring (provider_type, provider) instance:virtrigaud_errors_unreachable:rate5m > %(failureRate)g
            |||),
            'for': '5m',
            summary:: 'No VM operation on {{ $labels.provider }} on {{ $labels.instance }} succeeds any more: {{ $value | printf "%.0f" }} did in the 6 hours before',
            description:: 'No VM operation on {{ $labels.provider }} has succeeded for 15 minutes, and the manager on {{ $labels.instance }} reports that a provider cannot be reached.',
          },
          // Each of these calls is one VM operation, so both are as many if the manager alone counts calls.
          alert('VirtrigaudCallsCountedTwice', { scope: 'host' }) {
            expr: q(|||
              sum without (method, code) (rate(virtrigaud_provider_rpc_requests_total{$of,method=~"(Create|Delete|Power|Describe|Reconfigure)VM"}[15m]))
                / (
                  sum without (operation, provider, outcome) (rate(virtrigaud_vm_operations_total{$of,operation=~"Create|Delete|Power|Describe|Reconfigure"}[15m]))
                    > %(countedCalls)g
                ) > %(callsPerOperation)g
            |||),
            'for': '30m',
            summary:: 'Calls to {{ $labels.provider_type }} on {{ $labels.instance }} are {{ $value | printf "%.1f" }} times as many as the VM operations that make them',
            description:: 'Manager and provider on {{ $labels.instance }} both seem to count the calls to {{ $labels.provider_type }}: rates of calls and of their failures are too high.',
          },
          // Providers on hosts of their own: the manager elsewhere counts the same calls.
          alert('VirtrigaudCallsCountedTwice', { scope: 'fleet' }) {
            expr: q(|||
              sum without (method, code) (rate(virtrigaud_provider_rpc_requests_total{$of}[15m])) > %(countedCalls)g
                unless ignoring (provider_type) sum without (kind, outcome) (rate(virtrigaud_manager_reconcile_total{$of}[15m])) > 0
                and on (provider_type) group by (provider_type) (
                  sum without (method, code) (rate(virtrigaud_provider_rpc_requests_total{$of}[15m])) > 0
                    and ignoring (provider_type) sum without (kind, outcome) (rate(virtrigaud_manager_reconcile_total{$of}[15m])) > 0
                )
            |||),
            'for': '30m',
            summary:: 'A provider on {{ $labels.instance }} counts {{ $value | humanize }} calls per second to {{ $labels.provider_type }} that a manager elsewhere counts too',
            description:: 'There is no manager on {{ $labels.instance }}, and calls to {{ $labels.provider_type }} are counted there and where a manager is: sums over hosts are too high.',
          },

          alert('VirtrigaudReconcileErrors') {
            expr: q(|||
              instance_kind:virtrigaud_manager_reconcile_failures_per_manager_reconcile:ratio_rate15m > %(failures)g
                and instance_kind:virtrigaud_manager_reconcile_failures:rate15m > %(reconcileFailureRate)g
            |||),
            'for': '15m',
            summary:: '{{ $value | humanizePercentage }} of the reconciles of {{ $labels.kind }} on {{ $labels.instance }} fail',
            description:: '{{ $value | humanizePercentage }} of the reconciles of {{ $labels.kind }} on {{ $labels.instance }} ended with an error in the last 15 minutes.',
          },
        ] + [
          burn('VirtrigaudOperationsBudgetBurn', speed, 'instance_provider:virtrigaud_vm_operations_failures', 'vm_operations') {
            summary:: 'VM operations on {{ $labels.provider }} on {{ $labels.instance }} fail %g times as often as their budget allows: {{ $value | humanizePercentage }}' % speed.burn,
            description:: '{{ $value | humanizePercentage }} of the VM operations on {{ $labels.provider }} failed in the last %s on {{ $labels.instance }}; the objective allows %g%%.' % [speed.long, 100 * t.budget],
          }
          for speed in speeds
        ] + [
          burn('VirtrigaudLatencyBudgetBurn', speed, 'instance_provider_type:virtrigaud_provider_rpc_slow', 'provider_rpc_requests') {
            summary:: 'Calls to {{ $labels.provider_type }} on {{ $labels.instance }} are slow %g times as often as their budget allows: {{ $value | humanizePercentage }}' % speed.burn,
            description:: '{{ $value | humanizePercentage }} of the reading calls to {{ $labels.provider_type }} took longer than %g s in the last %s on {{ $labels.instance }}; the objective allows %g%%.' % [t.slowCall, speed.long, 100 * t.budget],
          }
          for speed in speeds
        ] + [
          alert('VirtrigaudSlowVMCreation') {
            expr: q(|||
              instance_provider:virtrigaud_vm_creations_duration_seconds:p95_1h > %(slowCreation)g
                and instance_provider:virtrigaud_vm_creations_slow:increase1h > %(slowCreations)g
            |||),
            'for': '15m',
            summary:: 'Creations of VMs on {{ $labels.provider }} on {{ $labels.instance }} take {{ $value | humanizeDuration }}',
            description:: 'The 95th percentile of the time until a VM creation ended is {{ $value | printf "%.0f" }} s on {{ $labels.provider }}, over the last hour on {{ $labels.instance }}.',
          },
          alert('VirtrigaudQueueBacklog') {
            expr: q('last_over_time(virtrigaud_queue_depth{$of}[$gap]) > %(queue)g'),
            'for': '10m',
            summary:: '{{ $value }} objects of kind {{ $labels.kind }} wait on {{ $labels.instance }}',
            description:: '{{ $value }} objects of kind {{ $labels.kind }} wait for a reconcile of the manager on {{ $labels.instance }}.',
          },
          alert('VirtrigaudBreakerOpen') {
            why:: |||
              A breaker that is half open in between has not recovered: only closed (0) ends the alert.
            |||,
            expr: q(|||
              last_over_time(virtrigaud_circuit_breaker_state{$of}[$gap]) > 0
                and max_over_time(virtrigaud_circuit_breaker_state{$of}[15m]) == 2
            |||),
            'for': '5m',
            summary:: 'The circuit breaker of {{ $labels.provider }} on {{ $labels.instance }} is {{ if eq $value 2.0 }}open{{ else }}half open{{ end }}',
            description:: 'The manager on {{ $labels.instance }} makes no calls to {{ $labels.provider }}, or only tries: its circuit breaker has not been closed for 5 minutes.',
          },
          alert('VirtrigaudExporterDown') {
            why:: |||
              The targets of the job, under whatever name a target that has shown itself to be an exporter is scraped, and
              targets that were all taken away. A Prometheus that has never had one stays silent.
            |||,
            expr: q(|||
              avg_over_time(up{$of,job="$exporter_job"}[1h]) and up{$of,job="$exporter_job"} == 0
                or (avg_over_time(up{$of}[1h]) and up{$of} == 0 and ignoring (version, revision) last_over_time(virtrigaud_exporter_build_info{$of}[1d]))
                or (absent(up{$of,job="$exporter_job"}) * on () group_left () count(last_over_time(up{$of,job="$exporter_job"}[1d])))
            |||),
            'for': '5m',
            summary:: 'virtrigaud-exporter{{ with $labels.instance }} on {{ . }}{{ end }} is down: {{ if $labels.instance }}{{ $value | humanizePercentage }} of the scrapes of the last hour succeeded{{ else }}none is left of {{ $value }} targets{{ end }}',
            description:: 'Prometheus cannot scrape {{ with $labels.instance }}the exporter {{ . }}{{ else }}any exporter, because it has no target any more{{ end }}; events wait in the socket.',
          },
          alert('VirtrigaudSocketLost') {
            expr: q('last_over_time(virtrigaud_exporter_sockets_lost{$of}[$gap]) > 0'),
            'for': '1m',
            summary:: 'The exporter on {{ $labels.instance }} has lost {{ $value }} of its sockets: no new client reaches it there',
            description:: 'The exporter {{ $labels.instance }} has {{ $value }} Unix sockets whose file was removed or replaced. Connected clients go on; no new one can connect until the exporter is restarted.',
          },
          alert('VirtrigaudClockWrong') {
            expr: q('last_over_time(virtrigaud_exporter_clock_difference_seconds{$of}[$gap]) != 0'),
            'for': '15m',
            summary:: 'The clock on {{ $labels.instance }} differs by {{ $value | humanizeDuration }} from what its {{ $labels.evidence }} shows',
            description:: 'The clock on {{ $labels.instance }} is {{ if lt $value 0.0 }}behind{{ else }}ahead of{{ end }} the time that {{ $labels.evidence }} shows, or that time is wrong. Times that the exporter shows are then wrong, such as those of starts and of last events.',
          },
          alert('VirtrigaudCertificateEnds') {
            why:: |||
              Once it has ended, Prometheus cannot scrape the exporter any more, and VirtrigaudExporterDown fires.
            |||,
            expr: q('last_over_time(virtrigaud_exporter_tls_certificate_expiry_timestamp_seconds{$of}[$gap]) - time() < %(certificateEnds)d'),
            'for': '15m',
            summary:: 'The certificate of the exporter on {{ $labels.instance }} {{ if lt $value 0.0 }}has ended{{ else }}ends in {{ $value | humanizeDuration }}{{ end }}',
            description:: 'The certificate that the exporter {{ $labels.instance }} shows has not been renewed. Once it has ended, Prometheus cannot scrape the exporter.',
          },
          alert('VirtrigaudStateNotSaved') {
            expr: q(|||
              sum without (metric) (last_over_time(virtrigaud_exporter_series{$of}[$gap]))
                and last_over_time(virtrigaud_exporter_state_ok{$of}[$gap]) == 0
            |||),
            'for': '5m',
            summary:: 'The exporter on {{ $labels.instance }} does not store its {{ $value }} series',
            description:: 'The exporter {{ $labels.instance }} counts in memory only; a restart would lose what it counts now.',
          },
          alert('VirtrigaudStateSetAside') {
            why:: |||
              State files are checked at the start, so the counter says it until the next one; the alert only for an hour.
            |||,
            expr: q(|||
              virtrigaud_exporter_state_set_aside_total{$of} > 0
                and (time() - process_start_time_seconds{$of} < 3600)
            |||),
            summary:: 'The exporter on {{ $labels.instance }} set aside {{ $value }} state files that are damaged',
            description:: 'The exporter {{ $labels.instance }} found its state file damaged at its start and stored it under another name.',
          },
          alert('VirtrigaudSeriesLimitNear') {
            expr: q('last_over_time(virtrigaud_exporter_series{$of}[$gap]) / last_over_time(virtrigaud_exporter_series_limit{$of}[$gap]) > %(limitUse)g'),
            'for': '15m',
            summary:: '{{ $labels.metric }} on {{ $labels.instance }} uses {{ $value | humanizePercentage }} of its limit of series',
            description:: 'At its limit, {{ $labels.metric }} on {{ $labels.instance }} counts new label values under `other`, or rejects new gauges.',
          },
          alert('VirtrigaudSeriesFolded') {
            why:: |||
              A counter that is part of the state: a restart without it, or with an older one, is no increase, nor is what
              clients report again after it. Only what goes beyond the highest value of the hours before counts.
            |||,
            expr: q('virtrigaud_exporter_series_folded_total{$of} - max_over_time(virtrigaud_exporter_series_folded_total{$of}[6h] offset 10m) > 0'),
            summary:: '{{ $labels.metric }} on {{ $labels.instance }} is at its limit of series: {{ $value | humanize }} updates counted under `other`',
            description:: '{{ $labels.metric }} on {{ $labels.instance }} counts new series under `other`.',
          },
          alert('VirtrigaudEventsLost') {
            expr: q('virtrigaud_exporter_client_lost_events_total{$of} - max_over_time(virtrigaud_exporter_client_lost_events_total{$of}[6h] offset 10m) > 0'),
            summary:: 'The {{ $labels.component }} on {{ $labels.instance }} lost {{ $value | humanize }} events',
            description:: '{{ $labels.component }} on {{ $labels.instance }} reports {{ $value | humanize }} events that it could not deliver.',
          },
          alert('VirtrigaudEventsRefused') {
            why:: |||
              More than ten lines in an hour, and still: a few typing errors in a shell are no fault of a component.
            |||,
            expr: q(|||
              increase(virtrigaud_exporter_events_rejected_total{$of}[1h]) > %(rejectedLines)g
                and increase(virtrigaud_exporter_events_rejected_total{$of}[10m]) > 0
            |||),
            'for': '15m',
            summary:: '{{ $value | printf "%.0f" }} lines of {{ $labels.component }} on {{ $labels.instance }} were rejected in an hour: {{ $labels.reason }}',
            description:: 'The exporter {{ $labels.instance }} rejected {{ $value | printf "%.0f" }} lines from {{ $labels.component }} in the last hour: {{ $labels.reason }}.',
          },
          alert('VirtrigaudReloadFailed') {
            expr: q(|||
              time() - last_over_time(virtrigaud_exporter_config_last_reload_timestamp_seconds{$of}[$gap])
                and last_over_time(virtrigaud_exporter_config_last_reload_successful{$of}[$gap]) == 0
            |||),
            'for': '5m',
            summary:: 'The exporter on {{ $labels.instance }} refused its configuration: it runs with one of {{ $value | humanizeDuration }} ago',
            description:: 'The exporter {{ $labels.instance }} continues with its previous configuration or catalogue; the new one was refused.',
          },
        ],
      },
    ],
  },
}
