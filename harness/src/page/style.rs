//! What of the page does not depend on results: its style sheet, and what its words mean.

/// The style sheet, light and dark.
pub(super) const SHEET: &str = "
:root{--ground:#fefefe;--panel:#f6f8fa;--ink:#1f2328;--muted:#59636e;--line:#d9dee3;--link:#0969da;--good:#1a7f37;--bad:#c62828}
@media(prefers-color-scheme:dark){:root{--ground:#0d1117;--panel:#151b23;--ink:#e6edf3;--muted:#9198a1;--line:#30363d;--link:#4493f8;--good:#3fb950;--bad:#ff7b72}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);font:16px/1.5 system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',sans-serif}
main{max-width:1330px;margin:0 auto;padding:32px 24px 64px}
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
td.words,thead th.words{text-align:left;white-space:normal;padding-left:16px}
.leaks{font-weight:650}
.alarm{color:var(--bad);font-weight:650}
.note{font-size:14px;color:var(--muted)}
.cautions{margin-top:16px;padding:4px 24px 12px;background:var(--panel);border-left:4px solid var(--muted);border-radius:6px}
.cautions h2{margin:14px 0 6px;font-size:17px}
.files{margin:14px 0 0;font-size:14px}
.files a{white-space:nowrap;margin-right:14px}
figure{margin:0 0 28px;min-width:0}
figure svg{display:block;height:auto}
figure.wide svg{width:100%;min-width:860px}
figure.narrow svg{width:100%;max-width:700px;min-width:500px}
figcaption{font-size:13px;text-align:right}
figcaption a{margin-left:8px}
.grid{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,540px),1fr));gap:0 20px;align-items:start}
details{border-top:1px solid var(--line);padding:10px 0}
summary{cursor:pointer;font-weight:650;font-size:17px;padding:4px 0}
dl{display:grid;grid-template-columns:max-content 1fr;gap:6px 20px;margin:0}
dt{color:var(--muted)}
dd{margin:0;max-width:85ch}
a{color:var(--link)}
code{font:14px ui-monospace,SFMono-Regular,Menlo,monospace}
dd,li,p{overflow-wrap:anywhere}
@media(max-width:640px){main{padding:20px 14px 48px}h1{font-size:26px}.verdict,.cautions{padding:4px 14px 10px}dl{grid-template-columns:1fr}dd{margin-bottom:8px}}
@media print{main{max-width:none;padding:0}figure,tr{break-inside:avoid}figure svg,figure.wide svg,figure.narrow svg{min-width:0}
.scroll{overflow:visible}table{font-size:8px}th,td{padding:2px 3px}details::details-content{content-visibility:visible;block-size:auto}figcaption{display:none}}
";

/// Where the numbers behind the page are.
pub(super) const FILES: &str = "<p class=\"files\"><a href=\"summary.csv\">summary.csv</a><a href=\"summary.md\">summary.md</a>\
<a href=\"runs.jsonl\">runs.jsonl</a><a href=\"experiment.toml\">experiment.toml</a><a href=\"pauses/\">pauses/</a><a href=\"charts/\">charts/</a></p>\n";

/// What is meant by the words of the page.
pub(super) const DEFINITIONS: &str = "<h3>What is meant</h3>\n<ul>\n\
<li>A <b>pause</b> is any interval in which a mutator thread does collector work or waits for it: a stop, a collection, a release cascade, \
a slow allocation. Those of several threads count each for itself. Shorter ones than the floor are only counted; they are in the time paused if they were clocked. \
The CPU time of a pause is exact to 0.1 ms; that of a shorter one is taken to be its time on the wall.</li>\n\
<li><b>Leaked</b> is what is still held when every root is gone and full collections find nothing more. <b>Held at end</b> is what was held before those collections: \
what the collector had left for later. Both count an object's header, slots and data; <b>blocks</b> are what the system was asked for.</li>\n\
<li><b>Floating</b> is what was dead and not yet freed: what was held less what was live. An audited run, whose times do not count, says exactly what was live; \
with several threads that differs a little from run to run. <b>Structural</b> leaks are those that a collector can never free, <b>policy</b> leaks those that one more collection frees, anything else is a bug.</li>\n\
<li><b>Time</b> is that of the workload alone, from its preparation until its last root was dropped; the final collections are not in it. \
<b>Speed</b> is operations (allocations and stores to slots) in a second; one that frees can be faster than one that never does, \
because memory that is used again is in the cache and need not be asked of the system. <b>CPU time</b> is that of all threads of the process, in the program and in the system; \
a collector that works beside the program on a core of its own is fast by the wall clock and pays here. The part on threads of its own is what they themselves had read when they last finished something.</li>\n\
<li>The <b>front</b> has every collector that no other one dominates, by the medians over invocations of longest pause, mean floating bytes and CPU time: \
one dominates another if it is worse in none of the three and in at least one its range over invocations lies wholly below the other's.</li>\n\
<li><b>Percentiles</b> are of the pauses of all invocations together, from histograms that keep each to within 0.1 %, and are shown only where ten pauses lie beyond. \
Ranges are the least and the most of all invocations. Intervals of speeds hold in 95 of 100 cases: 10,000 times as many invocations as there are were drawn from them with replacement.</li>\n</ul>\n";
