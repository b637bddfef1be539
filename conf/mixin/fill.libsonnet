// SPDX-License-Identifier: Apache-2.0
// Fills in what a query leaves open: thresholds as %(name)g, `$of` for the selector of every series, `$gap` for the time
// that a value outlives failed scrapes, and the names of the jobs.
function(text, config)
  local replace(text, pair) = std.strReplace(text, pair[0], pair[1]);
  std.foldl(replace, [
    ['{$of}', if config.selector == '' then '' else '{' + config.selector + '}'],
    ['{$of,', '{' + if config.selector == '' then '' else config.selector + ','],
    ['$exporter_job', config.exporterJob],
    ['$provider_job', config.providerJob],
    ['$gap', config.gap],
  ], text % config.thresholds)
