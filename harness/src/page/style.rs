//! What of the page does not depend on results: its style sheet, and what its words mean.

/// The style sheet, light and dark.
pub(super) const SHEET: &str = "
:root{--ground:#fefefe;--panel:#f6f8fa;--ink:#1f2328;--muted:#59636e;--line:#d9dee3;--link:#0969da;--good:#1a7f37;--bad:#c62828}
@media(prefers-color-scheme:dark){:root{--ground:#0d1117;--panel:#151b23;--ink:#e6edf3;--muted:#9198a1;--line:#30363d;--link:#4493f8;--good:#3fb950;--bad:#ff7b72}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',sans-serif}
main{max-width:1240px;margin:0 auto;padding:32px 24px 64px}
h1{font-size:32px;line-height:1.2;margin:0 0 12px}
h2{font-size:21px;margin:40px 0 12px}
.eyebrow{margin:0 0 4px;color:var(--muted);font-size:14px}
.question{max-width:75ch;margin:0;color:var(--muted)}
.verdict{margin-top:28px;padding:4px 24px 12px;background:var(--panel);border-left:4px solid var(--good);border-radius:6px}
.verdict.unsound{border-left-color:var(--bad)}
.verdict h2{margin:14px 0 6px}
.verdict p{margin:6px 0;max-width:95ch}
ul{margin:6px 0;padding-left:22px}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
th,td{padding:5px 8px;text-align:right;white-space:nowrap;border-bottom:1px solid var(--line)}
thead th{white-space:normal;vertical-align:bottom;font-weight:600;color:var(--muted);line-height:1.25}
th:first-child{text-align:left;font-weight:500;padding-left:0;white-space:normal}
td:last-child,th:last-child{padding-right:0}
tr.group th{padding-top:20px;font-weight:650;font-size:15px;white-space:normal}
tr.group th span{white-space:normal;font-weight:400;font-size:13px;color:var(--muted);margin-left:8px}
tbody th span{white-space:nowrap}
th i{display:inline-block;width:10px;height:10px;margin-right:8px;border-radius:2px}
[title]{cursor:help}
.leaks{font-weight:650}
.alarm{color:var(--bad);font-weight:650}
.note{font-size:14px;color:var(--muted)}
figure{margin:0 0 28px;overflow-x:auto}
figure svg{display:block;max-width:100%;height:auto;min-width:860px}
dl{display:grid;grid-template-columns:max-content 1fr;gap:6px 20px;margin:0}
dt{color:var(--muted)}
dd{margin:0;max-width:85ch}
a{color:var(--link)}
code{font:14px ui-monospace,SFMono-Regular,Menlo,monospace}
@media(max-width:640px){dl{grid-template-columns:1fr}dd{margin-bottom:8px}}
";

/// What is meant by the words of the page.
pub(super) const DEFINITIONS: &str = "<h3>What is meant</h3>\n<ul>\n\
<li>A <b>pause</b> is any interval in which a mutator thread does collector work or waits for it: a stop, a collection, a release cascade, \
a slow allocation. Those of several threads count each for itself. Shorter ones than the floor are only counted; they are in the time paused if they were clocked. \
The CPU time of a pause is exact to 0.1 ms; that of a shorter one is taken to be its time on the wall.</li>\n\
<li><b>Leaked</b> is what is still held when every root is gone and full collections find nothing more. <b>Held at end</b> is what was held before those collections: \
what the collector had left for later. Both count an object's header, slots and data; <b>blocks</b> are what the system was asked for.</li>\n\
<li><b>Time</b> is that of the workload alone, from its preparation until its last root was dropped; the final collections are not in it. \
<b>Speed</b> is operations (allocations and stores to slots) in a second; one that frees can be faster than one that never does, \
because memory that is used again is in the cache and need not be asked of the system.</li>\n\
<li><b>Percentiles</b> are of the pauses of all invocations together, from histograms that keep each to within 0.1 %, and are shown only where ten pauses lie beyond. \
Ranges are the least and the most of all invocations.</li>\n</ul>\n";
