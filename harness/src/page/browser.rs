//! The page in a browser: wide and narrow, light and dark, nothing may overflow, overlap or be missing.
//!
//! Without Chromium the test says so and passes; `CHROMIUM` names one that is not on the path.

use crate::{
    report,
    results::{Results, samples::Samples},
    synthetic,
};
use serde::Deserialize;
use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const NAMES: [&str; 4] = ["chromium", "chromium-browser", "google-chrome", "chrome"];

/// Measures the page once everything is unfolded, and tells the page around it what it found.
const MEASURE: &str = r#"<script>
addEventListener("load", () => {
  document.querySelectorAll("details").forEach(details => details.open = true);
  const outside = [], overlapping = [];
  const svgs = [...document.querySelectorAll("figure svg")];
  for (const svg of svgs) {
    const name = svg.closest("figure").id, whole = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")].map(text => [text.textContent.trim(), text.getBoundingClientRect()]);
    const scale = whole.width / svg.width.baseVal.value;
    for (const [text, box] of texts)
      if (box.left < whole.left - 1 || box.right > whole.right + 1 || box.top < whole.top - 1 || box.bottom > whole.bottom + 1)
        outside.push(name + ": " + text);
    texts.forEach(([text, box], place) => {
      for (const [other, next] of texts.slice(place + 1)) {
        const width = Math.min(box.right, next.right) - Math.max(box.left, next.left);
        const height = Math.min(box.bottom, next.bottom) - Math.max(box.top, next.top);
        if (width > 2 * scale && height > 4 * scale) overlapping.push(name + ": " + text + " / " + other);
      }
    });
  }
  const page = document.documentElement;
  parent.postMessage("MEASURED" + JSON.stringify({
    width: innerWidth, client: page.clientWidth, scroll: page.scrollWidth,
    is_dark: matchMedia("(prefers-color-scheme: dark)").matches,
    ground: getComputedStyle(document.body).backgroundColor,
    sections: [...document.querySelectorAll("h2")].filter(head => head.offsetHeight > 0).length,
    charts: svgs.filter(svg => svg.getBoundingClientRect().height > 40).length,
    outside, overlapping,
  }) + "END", "*");
});
</script>"#;

/// A page around the page, as wide as it is asked for: a window of the browser cannot be as narrow as a phone.
const FRAME: &str = r#"<!doctype html><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<iframe style="width:WIDTHpx;height:900px;border:0" src="report.html"></iframe>
<script>addEventListener("message", event => document.title = event.data)</script>"#;

/// What the page says of itself.
#[derive(Debug, Deserialize)]
struct Measured {
    width: u32,
    client: u32,
    scroll: u32,
    is_dark: bool,
    ground: String,
    sections: usize,
    charts: usize,
    outside: Vec<String>,
    overlapping: Vec<String>,
}

#[test]
fn nothing_overflows_overlaps_or_is_missing_wide_or_narrow_light_or_dark() {
    let Some(browser) = chromium() else {
        // Written past the test's capture, so that nobody takes the silence for a proof.
        let told = "SKIPPED: the page was not opened, for there is no Chromium on the path; set CHROMIUM to one\n";
        std::io::stderr().write_all(told.as_bytes()).unwrap();
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let records = synthetic::rich();
    let results = Results::of(&records).unwrap();
    let charts = crate::charts::draw(&results, &Samples::default()).unwrap().len();
    let path = report::write(&results, folder.path(), None).unwrap();
    let page = fs::read_to_string(&path).unwrap();
    fs::write(&path, page.replace("</body>", &format!("{MEASURE}</body>"))).unwrap();
    for (width, is_dark) in [(1280, false), (1280, true), (390, false), (390, true)] {
        let measured = measure(&browser, folder.path(), width, is_dark);
        let told = format!("at {width} pixels, dark: {is_dark}");
        assert_eq!((measured.width, measured.is_dark), (width, is_dark), "{told}");
        assert!(measured.scroll <= measured.client, "it overflows {told}: {measured:?}");
        let ground = if is_dark { "rgb(13, 17, 23)" } else { "rgb(254, 254, 254)" };
        assert_eq!(measured.ground, ground, "{told}");
        assert_eq!((measured.sections, measured.charts), (13, charts), "{told}");
        assert!(measured.outside.is_empty(), "outside {told}: {:#?}", measured.outside);
        assert!(measured.overlapping.is_empty(), "overlap {told}: {:#?}", measured.overlapping);
    }
}

fn chromium() -> Option<PathBuf> {
    if let Some(named) = env::var_os("CHROMIUM") {
        return Some(named.into());
    }
    let path = env::var_os("PATH")?;
    let folders: Vec<PathBuf> = env::split_paths(&path).collect();
    let all = NAMES.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    all.into_iter().find(|file| file.is_file())
}

fn measure(browser: &Path, folder: &Path, width: u32, is_dark: bool) -> Measured {
    let frame = folder.join("frame.html");
    fs::write(&frame, FRAME.replace("WIDTH", &width.to_string())).unwrap();
    let scheme = if is_dark { 0 } else { 1 };
    let profile = tempfile::tempdir().unwrap();
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.path().display()))
        .arg(format!("--blink-settings=preferredColorScheme={scheme}"))
        .args(["--window-size=1400,900", "--virtual-time-budget=20000"])
        .arg(format!("file://{}", frame.display()))
        .stderr(Stdio::null())
        .output()
        .unwrap();
    let document = String::from_utf8_lossy(&output.stdout);
    let told = document.split_once("MEASURED").and_then(|(_, rest)| rest.split_once("END"));
    let (told, _) = told.expect("the page was expected to measure itself");
    let told = told.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&");
    serde_json::from_str(&told).unwrap()
}
