// SPDX-License-Identifier: Apache-2.0
// What a site may want otherwise: docs/alerts.md shows how to change it. Rules, alerts and dashboards are made from it.
{
  _config:: {
    // More of a selector, which each query of a rule, an alert and a panel gets, as 'cluster="east"'.
    selector: '',
    // The jobs of prometheus.yml: the exporters, and the liveness pages of single providers.
    exporterJob: 'virtrigaud-exporter',
    providerJob: 'virtrigaud-provider',
    // Labels that say where a host is, widest first: variables of the dashboards. Sums in rules keep all such labels.
    clusterLabel: 'cluster',
    siteLabel: 'site',
    // Where an alert's runbook is: %s is its name in lower case. As shipped, where the package installs docs/alerts.md;
    // where your readers have a browser, publish that file and name its address.
    runbookUrl: 'file:///usr/share/doc/virtrigaud-exporter/alerts.md#%s',
    // The address of an exporter's page, for links of the dashboards: '' where `instance` is no address, as in Kubernetes.
    exporterPage: 'http://${__field.labels.instance}/',
    // The metadata of what is made for a cluster.
    namespace: 'virtrigaud-system',
    // A value outlives failed scrapes for so long. At least three scrapes.
    gap: '3m',
    // The least step of a panel: twice it, and so each $__rate_interval, holds two samples of scrapes up to it apart.
    minStep: '1m',

    thresholds: {
      // Shares that fail, and how many must fail at least: per second, in an hour.
      failures: 0.1,
      failureRate: 0.01,
      failedChanges: 2.5,
      reconcileFailureRate: 0.005,
      // A provider with so many successes in 6 h that none in 15 minutes are a sign.
      usualSuccesses: 72,
      // Calls per VM operation, where there are so many in a second: one, or two if both sides count them.
      callsPerOperation: 1.5,
      countedCalls: 0.01,
      // Objectives: the shares of operations that may fail, and of reading calls that may take longer than so many
      // seconds; at least so many in an hour. A burn is a multiple of the share.
      budget: 0.01,
      fastBurn: 14.4,
      slowBurn: 6,
      budgetEvents: 10,
      // Both must be bounds of the histograms' buckets.
      slowCall: 10,
      slowCreation: 600,
      slowCreations: 2.5,
      queue: 100,
      restarts: 3,
      // Coming and going are two changes.
      connectionChanges: 6,
      limitUse: 0.9,
      rejectedLines: 10,
      // Seconds before its end in which a certificate should have been renewed.
      certificateEnds: 7 * 86400,
    },

    severities: {
      VirtrigaudProviderDown: 'critical',
      VirtrigaudManagerDown: 'critical',
      VirtrigaudSourceReplaced: 'info',
      VirtrigaudManagerSilent: 'critical',
      VirtrigaudSourceMissing: 'critical',
      VirtrigaudSourceRestarts: 'warning',
      VirtrigaudHighErrorRate: 'warning',
      VirtrigaudProviderUnreachable: 'warning',
      VirtrigaudCallsCountedTwice: 'warning',
      VirtrigaudReconcileErrors: 'warning',
      VirtrigaudOperationsBudgetBurn: 'warning',
      VirtrigaudLatencyBudgetBurn: 'warning',
      VirtrigaudSlowVMCreation: 'warning',
      VirtrigaudQueueBacklog: 'warning',
      VirtrigaudBreakerOpen: 'critical',
      VirtrigaudExporterDown: 'critical',
      VirtrigaudSocketLost: 'critical',
      VirtrigaudClockWrong: 'warning',
      VirtrigaudCertificateEnds: 'warning',
      VirtrigaudStateNotSaved: 'warning',
      VirtrigaudStateSetAside: 'warning',
      VirtrigaudSeriesLimitNear: 'warning',
      VirtrigaudSeriesFolded: 'warning',
      VirtrigaudEventsLost: 'warning',
      VirtrigaudEventsRefused: 'warning',
      VirtrigaudReloadFailed: 'warning',
    },
  },
}
