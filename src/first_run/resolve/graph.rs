//! Which task needs which.

use std::collections::BTreeMap;

use super::Draft;
use crate::config::cycles;
use crate::config::first_run::Step;
use crate::sorted;

/// For each task the indexes of those that it needs, in order and each once.
///
/// What the config says goes over what goes without saying: an `apt` that needs a `pip` is not waited for by that.
pub(super) fn needs(steps: &[Step], drafts: &[Draft<'_>]) -> Result<Vec<Vec<usize>>, String> {
    let steps = Steps::new(steps, drafts)?;
    let mut needs: Vec<Vec<usize>> = drafts.iter().map(|draft| steps.stated(draft)).collect::<Result<_, _>>()?;
    if let Some(cycle) = cycles(&needs).first() {
        let named = |task: &usize| drafts.get(*task).map_or("", |draft| draft.name.as_str());
        let circle: Vec<&str> = cycle.iter().chain(cycle.first()).map(named).collect();
        let circle = circle.join(" → ");
        return Err(format!("first-run steps wait for each other: {circle}; take one of these out of `needs`"));
    }
    for (task, draft) in drafts.iter().enumerate() {
        let implied: Vec<usize> =
            steps.implied(draft).into_iter().filter(|other| !leads(&needs, *other, task)).collect();
        if let Some(needs) = needs.get_mut(task) {
            needs.extend(implied);
            sorted::sort(needs);
            needs.dedup();
        }
    }
    Ok(needs)
}

/// Whether `from` needs `to`, by others or itself.
fn leads(needs: &[Vec<usize>], from: usize, to: usize) -> bool {
    let mut seen = vec![false; needs.len()];
    let mut next = vec![from];
    while let Some(task) = next.pop() {
        if task == to {
            return true;
        }
        if let (Some(seen @ false), Some(needs)) = (seen.get_mut(task), needs.get(task)) {
            *seen = true;
            next.extend(needs);
        }
    }
    false
}

/// The steps of the config and the tasks that they became.
struct Steps<'a> {
    by_name: BTreeMap<&'a str, Vec<usize>>,
    by_kind: BTreeMap<&'a str, Vec<usize>>,
    tasks: Vec<Vec<usize>>,
    main: Vec<Option<usize>>,
}

impl<'a> Steps<'a> {
    fn new(steps: &'a [Step], drafts: &[Draft<'_>]) -> Result<Self, String> {
        let mut tasks = vec![Vec::new(); steps.len()];
        let mut main = vec![None; steps.len()];
        for (task, draft) in drafts.iter().enumerate() {
            if let (Some(tasks), Some(main)) = (tasks.get_mut(draft.step), main.get_mut(draft.step)) {
                tasks.push(task);
                if draft.part.suffix.is_empty() {
                    *main = Some(task);
                }
            }
        }
        let (mut by_name, mut by_kind) = (BTreeMap::new(), BTreeMap::<_, Vec<usize>>::new());
        for ((number, step), tasks) in steps.iter().enumerate().zip(&tasks) {
            if by_name.insert(step.called(), tasks.clone()).is_some() {
                return Err(format!("two first-run steps are called {}; give one of them a name", step.called()));
            }
            by_kind.entry(step.kind()).or_default().push(number);
        }
        Ok(Self { by_name, by_kind, tasks, main })
    }

    /// What the config says, and the step itself where this is another part of it.
    fn stated(&self, draft: &Draft<'_>) -> Result<Vec<usize>, String> {
        let mut needs = Vec::new();
        for wanted in draft.wanted.common().needs {
            let tasks = self.by_name.get(wanted.as_str());
            needs.extend(tasks.ok_or_else(|| format!("{} needs {wanted}, which is no first-run step", draft.name))?);
        }
        if !draft.part.suffix.is_empty() {
            needs.extend(self.main.get(draft.step).copied().flatten());
        }
        Ok(needs)
    }

    /// What goes without saying: a package of bun's needs Node.js, if there is a step for it.
    fn implied(&self, draft: &Draft<'_>) -> Vec<usize> {
        let kinds = draft.part.after.iter().filter_map(|kind| self.by_kind.get(kind)).flatten();
        let others = kinds.filter(|step| **step != draft.step);
        others
            .flat_map(|step| match self.main.get(*step).copied().flatten() {
                Some(main) => vec![main],
                None => self.tasks.get(*step).cloned().unwrap_or_default(),
            })
            .collect()
    }
}
