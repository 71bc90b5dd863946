//! One rollout over several regions, wave by wave. What is to be done next follows from where each region stands, and from
//! nothing else: there is no common record that could be lost. Each region's own state names the fleet.

use serde::{Deserialize, Serialize};

use crate::rollout::region_phase::{RegionPhase, RegionPhases, RegionTask};

/// One rollout over several regions, as the state of each of them names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fleet {
    pub id: String,
    /// Names of regions; a wave begins when all of the one before are promoted.
    pub waves: Vec<Vec<String>>,
    pub on_failure: OnRegionFailure,
}

/// What goes back when a region does. Nothing new begins in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnRegionFailure {
    /// That region alone.
    Region,
    /// Its wave; the waves before were promoted on evidence of their own.
    #[default]
    Wave,
    /// Everything.
    All,
}

impl OnRegionFailure {
    /// All of them, as they are written.
    pub const ALL: [(&'static str, Self); 3] = [("region", Self::Region), ("wave", Self::Wave), ("all", Self::All)];

    /// The name in the configuration.
    pub fn word(self) -> &'static str {
        let found = Self::ALL.iter().find(|(_, one)| *one == self);
        found.map_or("", |(word, _)| word)
    }
}

impl Fleet {
    /// Its regions, in their order.
    pub fn regions(&self) -> impl Iterator<Item = &String> {
        self.waves.iter().flatten()
    }

    /// May a region have begun that does not say so itself? Only where all of the waves before may have been promoted once.
    /// `phases` are those of the regions that are known.
    pub fn may_have_begun(&self, region: &str, phases: &RegionPhases) -> bool {
        let is_mine = |wave: &&Vec<String>| wave.iter().any(|name| name == region);
        let before = self.waves.iter().take_while(|wave| !is_mine(wave));
        before.flatten().all(|name| {
            let at = phases.get(name);
            !matches!(at, Some(RegionPhase::Pending | RegionPhase::UnderWay))
        })
    }

    /// What is to be done now.
    pub fn tasks(&self, phases: &RegionPhases) -> Vec<(String, RegionTask)> {
        let at = |region: &String| phases.get(region).copied().unwrap_or(RegionPhase::Pending);
        let bad = self.regions().any(|region| at(region).is_bad());
        let mut tasks = Vec::new();
        let mut open = true;
        for wave in &self.waves {
            let wave_is_bad = wave.iter().any(|region| at(region).is_bad());
            let condemned = match self.on_failure {
                OnRegionFailure::Region => false,
                OnRegionFailure::Wave => wave_is_bad,
                OnRegionFailure::All => bad,
            };
            for region in wave {
                let task = match at(region) {
                    RegionPhase::Pending if open && !bad => RegionTask::Start,
                    RegionPhase::Pending | RegionPhase::RolledBack => continue,
                    RegionPhase::RollingBack => RegionTask::Continue,
                    _ if condemned => RegionTask::RollBack,
                    RegionPhase::Succeeded => continue,
                    RegionPhase::UnderWay | RegionPhase::Promoted => RegionTask::Continue,
                };
                tasks.push((region.clone(), task));
            }
            open &= wave.iter().all(|region| at(region).is_promoted());
        }
        tasks
    }
}

/// The waves of these regions: so many in the first, so many in the second; the last number holds for all that follow.
pub fn waves(regions: &[String], sizes: &[usize]) -> Result<Vec<Vec<String>>, String> {
    if sizes.contains(&0) {
        return Err("a wave of no region".into());
    }
    let mut rest = regions;
    let mut waves = Vec::new();
    let mut sizes = sizes.iter().copied();
    let mut size = 1;
    while !rest.is_empty() {
        size = sizes.next().unwrap_or(size);
        let (wave, after) = rest.split_at(size.min(rest.len()));
        waves.push(wave.to_vec());
        rest = after;
    }
    match sizes.next() {
        Some(more) => Err(format!("there is no region left for a wave of {more}: {} are given", regions.len())),
        None => Ok(waves),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(text: &str) -> Vec<String> {
        text.split(',').map(ToOwned::to_owned).collect()
    }

    fn fleet(on_failure: OnRegionFailure) -> Fleet {
        Fleet { id: "f".into(), waves: waves(&names("a,b,c,d"), &[1, 2]).expect("sound"), on_failure }
    }

    fn shown(fleet: &Fleet, phases: &[(&str, RegionPhase)]) -> String {
        let phases = phases.iter().map(|(name, phase)| ((*name).to_owned(), *phase)).collect();
        let tasks = fleet.tasks(&phases);
        let shown: Vec<String> = tasks.iter().map(|(region, task)| format!("{region}:{task:?}")).collect();
        shown.join(" ")
    }

    #[test]
    fn waves_have_their_sizes_and_the_last_one_goes_on() {
        let shown = |sizes: &[usize]| waves(&names("a,b,c,d"), sizes).map(|all| format!("{all:?}"));
        assert_eq!(shown(&[]), Ok(r#"[["a"], ["b"], ["c"], ["d"]]"#.into()));
        assert_eq!(shown(&[1, 2]), Ok(r#"[["a"], ["b", "c"], ["d"]]"#.into()));
        assert_eq!(shown(&[9]), Ok(r#"[["a", "b", "c", "d"]]"#.into()));
        assert!(shown(&[1, 0]).is_err());
        assert!(shown(&[4, 1]).is_err());
    }

    #[test]
    fn a_wave_begins_when_the_one_before_is_promoted() {
        use RegionPhase::{Promoted, Succeeded, UnderWay};
        let it = fleet(OnRegionFailure::Wave);
        assert_eq!(shown(&it, &[]), "a:Start");
        assert_eq!(shown(&it, &[("a", UnderWay)]), "a:Continue");
        assert_eq!(shown(&it, &[("a", Promoted)]), "a:Continue b:Start c:Start");
        let two = [("a", Succeeded), ("b", Promoted), ("c", UnderWay)];
        assert_eq!(shown(&it, &two), "b:Continue c:Continue");
        let all = [("a", Succeeded), ("b", Succeeded), ("c", Succeeded), ("d", Succeeded)];
        assert_eq!(shown(&it, &all), "");
    }

    #[test]
    fn a_bad_region_stops_the_rest_and_takes_back_what_the_policy_says() {
        use RegionPhase::{Promoted, RolledBack, UnderWay};
        let phases = [("a", Promoted), ("b", RolledBack), ("c", UnderWay)];
        for (on_failure, want) in [
            (OnRegionFailure::Region, "a:Continue c:Continue"),
            (OnRegionFailure::Wave, "a:Continue c:RollBack"),
            (OnRegionFailure::All, "a:RollBack c:RollBack"),
        ] {
            assert_eq!(shown(&fleet(on_failure), &phases), want, "{on_failure:?}");
        }
    }

    #[test]
    fn a_region_that_is_silent_may_have_begun_when_its_turn_had_come() {
        use RegionPhase::{Pending, Promoted, RolledBack, UnderWay};
        let it = fleet(OnRegionFailure::Wave);
        for (a, b, want) in [
            (Some(Pending), None, "a"),
            (Some(UnderWay), None, "a"),
            // What is back may have been promoted before.
            (Some(RolledBack), None, "a,b,c,d"),
            (Some(Promoted), Some(UnderWay), "a,b,c"),
            (Some(Promoted), Some(Promoted), "a,b,c,d"),
            (None, None, "a,b,c,d"),
            (None, Some(UnderWay), "a,b,c"),
        ] {
            let known = [("a", a), ("b", b)];
            let known = known.into_iter().filter_map(|(name, at)| Some((name.to_owned(), at?)));
            let known = known.collect();
            let may = it.regions().filter(|region| it.may_have_begun(region, &known));
            let may: Vec<&str> = may.map(String::as_str).collect();
            assert_eq!(may.join(","), want, "{a:?} {b:?}");
        }
    }

    fn phase() -> impl Strategy<Value = RegionPhase> {
        prop::sample::select(vec![
            RegionPhase::Pending,
            RegionPhase::UnderWay,
            RegionPhase::Promoted,
            RegionPhase::Succeeded,
            RegionPhase::RollingBack,
            RegionPhase::RolledBack,
        ])
    }

    proptest! {
        /// Whatever happens to its regions: nothing begins beside a bad one or before its wave, nothing that is back is
        /// touched, and every region that moves is watched.
        #[test]
        fn the_whole_never_gets_ahead_of_its_regions(
            at in prop::collection::vec(phase(), 4),
            policy in prop::sample::select(vec![OnRegionFailure::Region, OnRegionFailure::Wave, OnRegionFailure::All]),
        ) {
            let it = fleet(policy);
            let phases: RegionPhases = names("a,b,c,d").into_iter().zip(at.iter().copied()).collect();
            let tasks = it.tasks(&phases);
            let bad = at.iter().any(|one| one.is_bad());
            for (region, task) in &tasks {
                let phase = phases[region];
                prop_assert!(phase != RegionPhase::RolledBack);
                if *task == RegionTask::Start {
                    prop_assert!(!bad && phase == RegionPhase::Pending);
                    let wave = it.waves.iter().position(|wave| wave.contains(region)).expect("known");
                    let before = it.waves[..wave].iter().flatten();
                    prop_assert!(before.map(|name| phases[name]).all(RegionPhase::is_promoted));
                }
            }
            for (region, phase) in &phases {
                let moves = matches!(phase, RegionPhase::UnderWay | RegionPhase::Promoted | RegionPhase::RollingBack);
                prop_assert!(!moves || tasks.iter().any(|(name, _)| name == region));
            }
        }
    }
}
