// SPDX-License-Identifier: Apache-2.0
// The YAML files that are made from a mixin, by name: in the order of Prometheus' own documents and with comments, which
// std.manifestYamlDoc does not write.
function(mixin)
  local c = mixin._config;
  // Only strReplace(): the other functions for text are slow.
  local end = '\u0000';
  local trim(text) = std.strReplace(std.strReplace(text + end, '\n' + end, ''), end, '');
  local lines(text, indent) = indent + std.strReplace(trim(text), '\n', '\n' + indent);
  local quote(text) = '"' + std.strReplace(std.strReplace(text, '\\', '\\\\'), '"', '\\"') + '"';
  local comment(what, indent) =
    if std.objectHasAll(what, 'why') then lines(what.why, indent + '# ') + '\n' else '';
  local labels(rule) =
    // The severity first, then what distinguishes alerts of one name.
    ['severity'] + [name for name in std.objectFields(rule.labels) if name != 'severity'];
  local rule(rule, indent) =
    comment(rule, indent) +
    indent + (if 'alert' in rule then '- alert: ' + rule.alert else '- record: ' + rule.record) + '\n' +
    '%s  expr: |\n%s\n' % [indent, lines(rule.expr, indent + '    ')] +
    (if 'for' in rule then '%s  for: %s\n' % [indent, rule['for']] else '') +
    (if 'labels' in rule then indent + '  labels:\n' + std.join('', [
       '%s    %s: %s\n' % [indent, name, rule.labels[name]]
       for name in labels(rule)
     ]) else '') +
    (if 'annotations' in rule then indent + '  annotations:\n' + std.join('', [
       '%s    %s: %s\n' % [indent, name, quote(rule.annotations[name])]
       for name in ['summary', 'description', 'runbook_url']
     ]) else '');
  local group(group, indent) =
    comment(group, indent) + '%s- name: %s\n%s  rules:\n' % [indent, group.name, indent] +
    std.join('\n', [rule(r, indent + '    ') for r in group.rules]);
  // Without the last end of a line: jsonnet ends its output with one.
  local groups(indent) =
    local all = mixin.prometheusRules.groups + mixin.prometheusAlerts.groups;
    trim(indent + 'groups:\n' + std.join('\n', [group(g, indent + '  ') for g in all]));
  local made = |||
    # SPDX-License-Identifier: Apache-2.0
    # Made from conf/mixin by `make mixin`: change it there.
  |||;
  {
    'prometheus/virtrigaud.rules.yml': made + |||
      # Recording and alert rules for virtrigaud-exporter. Sums keep `instance` and the labels that a site adds (`site`,
      # `cluster`), so that an alert names its host and can be routed; queries sum the recorded series further. docs/alerts.md
      # says what to do when one of the alerts fires.
    ||| + groups(''),
    'kubernetes/prometheusrule.yaml': made + |||
      apiVersion: monitoring.coreos.com/v1
      kind: PrometheusRule
      metadata:
        name: virtrigaud-alerts
        namespace: %s
        labels:
          app.kubernetes.io/name: virtrigaud
          app.kubernetes.io/component: exporter
      spec:
    ||| % c.namespace + groups('  '),
  }
