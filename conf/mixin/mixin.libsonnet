// SPDX-License-Identifier: Apache-2.0
// The alerts, rules and dashboards of virtrigaud-exporter, as monitoring mixins have them: `prometheusRules`,
// `prometheusAlerts`, `grafanaDashboards`, made from `_config`.
(import 'config.libsonnet') +
(import 'rules.libsonnet') +
(import 'alerts.libsonnet') +
(import 'dashboards.libsonnet')
