// SPDX-License-Identifier: Apache-2.0
// What Grafana reads of a dashboard: panels laid out in rows, variables, annotations.
function(config)
  local source = { type: 'prometheus', uid: '${datasource}' };
  // From a series to its host: the control plane and the exporter of it alone, and the exporter's own page.
  local links = [
    { title: 'This host', url: '/d/virtrigaud?${__url_time_range}&var-datasource=${datasource}&var-instance=${__field.labels.instance}' },
    { title: 'Its exporter', url: '/d/virtrigaud-exporter?${__url_time_range}&var-datasource=${datasource}&var-instance=${__field.labels.instance}' },
  ] + if config.exporterPage == '' then [] else [
    { title: "The exporter's page", url: config.exporterPage, targetBlank: true },
  ];
  local options = {
    stat: {
      reduceOptions: { calcs: ['lastNotNull'], fields: '', values: false },
      colorMode: 'value',
      graphMode: 'area',
      textMode: 'auto',
      justifyMode: 'auto',
      orientation: 'auto',
    },
    timeseries: {
      legend: { displayMode: 'list', placement: 'bottom', showLegend: true, calcs: [] },
      tooltip: { mode: 'multi', sort: 'desc' },
    },
    'state-timeline': {
      mergeValues: true,
      showValue: 'never',
      rowHeight: 0.9,
      legend: { displayMode: 'list', placement: 'bottom', showLegend: true },
    },
    table: { showHeader: true },
    // Alerts of the rules of this name, whichever data source evaluates them.
    alertlist: {
      alertName: 'Virtrigaud',
      dashboardAlerts: false,
      groupMode: 'default',
      maxItems: 20,
      sortOrder: 3,
      stateFilter: { firing: true, pending: true, noData: false, normal: false, 'error': true },
      viewMode: 'list',
    },
  };
  // How values look: colours from thresholds, names of values, what stands where there is none, links to the host.
  local defaults(kind, unit, looks) = local steps = 'steps' in looks; {
    unit: unit,
    noValue: if 'none' in looks then looks.none else 'no data',
    custom: if kind != 'timeseries' then {} else
      { drawStyle: 'line', lineWidth: 1, fillOpacity: 10, showPoints: 'never', spanNulls: false } +
      if steps then { thresholdsStyle: { mode: 'dashed' } } else {},
    [if steps then 'thresholds']: { mode: 'absolute', steps: [{ value: s[0], color: s[1] } for s in looks.steps] },
    [if steps && kind == 'stat' then 'color']: { mode: 'thresholds' },
    [if 'values' in looks then 'mappings']: [{
      type: 'value',
      options: { [v[0]]: { text: v[1], color: v[2], index: std.find(v, looks.values)[0] } for v in looks.values },
    }],
    [if 'host' in looks || 'links' in looks then 'links']:
      (if 'links' in looks then looks.links else []) + (if 'host' in looks then links else []),
  };
  // queries: [[legend, query]...]
  local panel(kind, height, title, unit, width, queries, says, looks) = {
    type: kind,
    title: title,
    description: says,
    datasource: source,
    gridPos: { w: width, h: height },
    fieldConfig: { defaults: defaults(kind, unit, looks), overrides: [] },
    options: options[kind],
    links: if 'runbooks' in looks then looks.runbooks else [],
    targets: [
      {
        refId: std.char(std.codepoint('A') + i),
        datasource: source,
        expr: queries[i][1],
        legendFormat: queries[i][0],
        editorMode: 'code',
        interval: config.minStep,
      } + if kind == 'table' then { format: 'table', instant: true, range: false } else { range: true }
      for i in std.range(0, std.length(queries) - 1)
    ],
  };
  // Places a panel right of the last one, or below where the row is full.
  local place(state, panel) =
    local full = state.x + panel.gridPos.w > 24;
    local x = if full then 0 else state.x;
    local y = if full then state.y + state.high else state.y;
    {
      number: state.number + 1,
      x: x + panel.gridPos.w,
      y: y,
      high: if full then panel.gridPos.h else std.max(state.high, panel.gridPos.h),
      panels: state.panels + [panel { id: state.number, gridPos+: { x: x, y: y } }],
    };
  local begin(state, row) =
    local y = state.y + state.high;
    local header = {
      id: state.number,
      type: 'row',
      title: row.title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y: y, w: 24, h: 1 },
    };
    std.foldl(place, row.panels, { number: state.number + 1, x: 0, y: y + 1, high: 0, panels: state.panels + [header] });
  {
    stat(title, unit, width, queries, says, looks={}):: panel('stat', 4, title, unit, width, queries, says, looks),
    graph(title, unit, width, queries, says, looks={}):: panel('timeseries', 7, title, unit, width, queries, says, looks),
    table(title, unit, width, queries, says, looks={}):: panel('table', 7, title, unit, width, queries, says, looks),
    // It asks no query: Grafana knows alerts by itself.
    alerts(title, width, says):: panel('alertlist', 7, title, 'none', width, [], says, {}),
    timeline(title, unit, width, queries, says, looks={}):: panel('state-timeline', 7, title, unit, width, queries, says, looks),
    row(title, panels):: { title: title, panels: panels },

    variable(name, label):: { name: name, label: label, hide: 0, skipUrlSync: false, options: [], regex: '' },
    // Which Prometheus.
    source():: self.variable('datasource', 'Data source') {
      type: 'datasource',
      query: 'prometheus',
      current: {},
      multi: false,
      includeAll: false,
    },
    // The values of a label; All takes series without it, too.
    values(name, label, series):: self.variable(name, label) {
      local query = 'label_values(%s, %s)' % [series, name],
      type: 'query',
      datasource: source,
      query: { query: query, refId: name },
      definition: query,
      refresh: 2,
      sort: 1,
      multi: true,
      includeAll: true,
      allValue: '.*',
      current: { text: 'All', value: '$__all' },
    },
    annotation(name, colour, query, title):: {
      name: name,
      datasource: source,
      enable: true,
      hide: false,
      iconColor: colour,
      expr: query,
      step: config.minStep,
      titleFormat: title,
      textFormat: '{{instance}}',
    },
    dashboard(uid, says, rows, variables, annotations):: {
      uid: uid,
      title: uid,
      tags: ['virtrigaud'],
      schemaVersion: 38,
      version: 3,
      editable: true,
      description: says,
      timezone: 'browser',
      refresh: '30s',
      time: { from: 'now-6h', to: 'now' },
      graphTooltip: 1,
      annotations: { list: annotations },
      links: [{
        type: 'dashboards',
        title: 'virtrigaud',
        tags: ['virtrigaud'],
        asDropdown: false,
        includeVars: true,
        keepTime: true,
      }],
      templating: { list: variables },
      panels: std.foldl(begin, rows, { number: 1, y: 0, high: 0, panels: [] }).panels,
    },
  }
