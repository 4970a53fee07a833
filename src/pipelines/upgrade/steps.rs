//! How far the builds are, from the steps that their output tells of.

use super::{Build, BuildStatus, UpgradeState};

/// Building takes an upgrade from this percentage …
const FROM: u32 = 30;
/// … to this one.
const TO: u32 = 70;

/// The step and the number of steps in a line such as `Step 3/7 : RUN make`, wherever in the line it stands.
pub fn step(line: &str) -> Option<(u32, u32)> {
    let (_, after) = line.split_once("Step ")?;
    let (at, of) = after.split_whitespace().next()?.split_once('/')?;
    let (at, of) = (at.parse().ok()?, of.parse().ok()?);
    (1..=of).contains(&at).then_some((at, of))
}

/// In percent of the whole upgrade: the mean over all components.
pub fn progress(state: &UpgradeState) -> u8 {
    let share = |build: &Build| match (build.status, build.step) {
        (BuildStatus::Succeeded, _) => 1.0,
        // The last step is begun, not done, while the build runs.
        (_, Some((at, of))) => f64::from(at - 1) / f64::from(of),
        (_, None) => 0.0,
    };
    let sum: f64 = state.builds.values().map(share).sum();
    let mean = if state.builds.is_empty() { 0.0 } else { sum / state.builds.len() as f64 };
    let percent = f64::from(FROM) + mean * f64::from(TO - FROM);
    // Between 30 and 70, so nothing is lost.
    percent.clamp(f64::from(FROM), f64::from(TO)) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_read_wherever_the_line_tells_of_it() {
        assert_eq!(step("Step 3/7 : RUN npm ci"), Some((3, 7)));
        assert_eq!(step("2026/11/21 02:00:00 Step 1/2 : FROM x"), Some((1, 2)));
        for none in ["Step by step", "Step 0/3", "Step 4/3", "Stepping 1/2", ""] {
            assert_eq!(step(none), None, "{none}");
        }
    }
}
