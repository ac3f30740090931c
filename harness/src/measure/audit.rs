//! Measurement under the audit: exactly what was live, what floated, what leaked and why, and no times.

use super::{JobError, bytes, checksum, drain, heap, leak_expected, verdict};
use crate::{
    clock::process_cpu_ns,
    floating::interpolate,
    job::{Answer, Job},
    process::{AUDIT, memory::rss_peak},
    record::{Bytes, Moment, Status, TIMELINE_POINTS, Timeline},
    recorder::Recorder,
    units,
};
use collectors::{
    Collector, Heap,
    audit::{Audited, Curve, CurvePoint, Findings, Leaks},
};
use std::sync::Arc;
use workloads::{VirtualTime, Workload};

/// How many of the objects that a collector has forgotten are told of, with their histories.
const FORGOTTEN_TOLD: usize = 3;

/// Runs a job under the audit.
pub(super) fn audited<C: Collector, W: Workload>(
    job: &Job,
    settings: C::Settings,
    parameters: &W::Parameters,
) -> Result<Answer, JobError> {
    let recorder = Arc::new(Recorder::new(job.pause_floor_ns));
    let heap = heap::<Audited<C>>(job, settings, &recorder)?;
    let clock = recorder.clock();
    let (wall, cpu) = (clock.now(), process_cpu_ns());
    let outcome = W::run(&heap, parameters, job.threads, job.seed, &VirtualTime::default());
    let (wall_ns, cpu_ns) = (clock.now() - wall, process_cpu_ns() - cpu);

    let statistics = heap.statistics();
    let recording = recorder.take();
    let at_end = heap.findings();
    let final_collections = drain(&heap);
    let after = heap.findings();

    let expected = W::expect(parameters, job.threads, job.seed);
    let leak_expected = leak_expected::<C>(&statistics, &expected);
    let bytes = bytes(&statistics, &heap.statistics(), leak_expected, final_collections);
    let (mut status, mut message) = verdict(&outcome, &expected, &recording.panics);
    let outcome = outcome.ok();
    let mut answer = Answer {
        status,
        message: None,
        checksum: outcome.map(checksum),
        wall_ns,
        cpu_ns,
        collector_cpu_ns: None,
        operations: outcome.map(|outcome| outcome.operations),
        pauses: None,
        time_to_stop: None,
        hiccup_max_ns: None,
        collections: None,
        bytes,
        memory: Timeline::default(),
        latency: None,
        drag: None,
        rss_peak: rss_peak("self"),
        samples: Vec::new(),
    };
    match (at_end, after) {
        (Ok(at_end), Ok(after)) => {
            let leaks = Leaks::between(&at_end, &after);
            if leaks.protocol.objects > 0 {
                (status, message) = (Status::Unsound, Some(forgotten(&heap, &leaks)));
            }
            answer.memory = timeline(&at_end.curve, &recording.memory);
            answer.bytes = with_findings(bytes, &at_end, leaks);
            answer.drag = Some(after.drag);
        }
        (Err(violation), _) | (_, Err(violation)) => {
            (status, message) = (Status::Unsound, Some(violation.to_string()));
        }
    }
    Ok(Answer { status, message, ..answer })
}

fn with_findings(bytes: Bytes, at_end: &Findings, leaks: Leaks) -> Bytes {
    Bytes {
        live: Some(at_end.live_mean),
        live_peak: Some(at_end.live_peak),
        floating_mean: Some(at_end.floating_mean),
        floating_peak: Some(at_end.floating_peak),
        leaks: Some(leaks),
        ..bytes
    }
}

/// What is said of dead objects that the collector should have freed.
fn forgotten<C: Collector>(heap: &Heap<Audited<C>>, leaks: &Leaks) -> String {
    let objects = units::counted(leaks.protocol.objects, "object", "objects");
    let bytes = units::bytes(leaks.protocol.bytes);
    let histories = heap.forgotten(FORGOTTEN_TOLD).join("; ");
    format!("{AUDIT}the collector should have freed {objects} ({bytes}) and has not: {histories}")
}

/// The curve of an audit, thinned out. When each of its moments was, and what blocks were in use, is taken from the
/// recorder's samples around it.
fn timeline(curve: &Curve, sampled: &Timeline) -> Timeline {
    let step = curve.points.len().div_ceil(TIMELINE_POINTS - 1).max(1);
    let last = curve.points.len().saturating_sub(1);
    let kept =
        curve.points.iter().enumerate().filter(|(index, _)| index % step == 0 || *index == last);
    Timeline { points: kept.map(|(_, point)| moment(point, &sampled.points)).collect() }
}

fn moment(point: &CurvePoint, sampled: &[Moment]) -> Moment {
    let clock = point.allocated.bytes;
    let after = sampled.partition_point(|moment| moment.allocated.bytes < clock);
    let from = after.checked_sub(1).map_or_else(Moment::default, |index| sampled[index]);
    let to = sampled.get(after).copied().unwrap_or(from);
    let places = [from.allocated.bytes, to.allocated.bytes];
    Moment {
        at_ns: interpolate(places, [from.at_ns, to.at_ns], clock),
        allocated: point.allocated,
        held: point.held.bytes,
        blocks: interpolate(places, [from.blocks, to.blocks], clock),
        live: Some(point.live),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use collectors::Amount;

    fn amount(objects: u64) -> Amount {
        Amount { objects, bytes: objects * 10 }
    }

    #[test]
    fn a_long_curve_is_thinned_and_keeps_its_ends() {
        for length in [1, 2, 511, 512, 513, 10_000] {
            let point = |n| CurvePoint { allocated: amount(n), live: amount(1), held: amount(2) };
            let curve = Curve { points: (0..length).map(point).collect() };
            let points = timeline(&curve, &Timeline::default()).points;
            assert!((1..=TIMELINE_POINTS).contains(&points.len()), "{length}: {}", points.len());
            assert_eq!(points[0].allocated, amount(0));
            assert_eq!(points[points.len() - 1].allocated, amount(length - 1));
        }
        assert_eq!(timeline(&Curve::default(), &Timeline::default()), Timeline::default());
    }

    #[test]
    fn blocks_and_times_are_those_of_the_samples_around() {
        let sample = |n: u64| Moment {
            at_ns: n * 100,
            allocated: amount(n),
            held: 0,
            blocks: n * 1_000,
            live: None,
        };
        let point = CurvePoint { allocated: amount(15), live: amount(3), held: amount(7) };
        let expected = Moment {
            at_ns: 1_500,
            allocated: amount(15),
            held: 70,
            blocks: 15_000,
            live: Some(amount(3)),
        };
        assert_eq!(moment(&point, &[sample(10), sample(20)]), expected);
        assert_eq!(moment(&point, &[sample(10)]).blocks, 10_000);
    }
}
