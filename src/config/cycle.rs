//! What waits for itself.

use std::collections::VecDeque;

/// Finds those that wait for each other, in the order of waiting. `waits` has for each by index whom it waits for. Each
/// is in one cycle at most.
#[must_use]
pub fn cycles(waits: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let mut left = vec![true; waits.len()];
    let mut cycles = Vec::new();
    loop {
        release(waits, &mut left);
        // Everyone who is left waits for someone who is left: following them must come round.
        let Some(mut at) = left.iter().position(|left| *left) else { return cycles };
        let mut walk: Vec<usize> = Vec::new();
        let mut walked = vec![false; waits.len()];
        while !std::mem::replace(&mut walked[at], true) {
            walk.push(at);
            match waits[at].iter().find(|next| left.get(**next) == Some(&true)) {
                Some(next) => at = *next,
                None => return cycles,
            }
        }
        let cycle: Vec<usize> = walk.into_iter().skip_while(|walked| *walked != at).collect();
        for member in &cycle {
            left[*member] = false;
        }
        cycles.push(cycle);
    }
}

/// Takes out of `left` whoever waits for nobody that is left, again and again.
fn release(waits: &[Vec<usize>], left: &mut [bool]) {
    let mut waiters = vec![Vec::new(); waits.len()];
    let mut count = vec![0_usize; waits.len()];
    for (who, whom) in waits.iter().enumerate() {
        for whom in whom.iter().filter(|whom| left.get(**whom) == Some(&true)) {
            waiters[*whom].push(who);
            count[who] += 1;
        }
    }
    let mut free: VecDeque<usize> = (0..waits.len()).filter(|who| left[*who] && count[*who] == 0).collect();
    while let Some(who) = free.pop_front() {
        left[who] = false;
        for waiter in &waiters[who] {
            count[*waiter] -= 1;
            if count[*waiter] == 0 && left[*waiter] {
                free.push_back(*waiter);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cycle_is_named_in_the_order_of_waiting_and_who_waits_for_one_is_not_part_of_it() {
        assert_eq!(cycles(&[vec![0]]), [[0]]);
        assert_eq!(cycles(&[vec![1], vec![2, 3], vec![], vec![1]]), [[1, 3]]);
        assert_eq!(cycles(&[vec![1], vec![0], vec![0], vec![4], vec![3]]), [[0, 1], [3, 4]]);
        assert_eq!(cycles(&[vec![1, 2, 3], vec![2, 3], vec![3], vec![]]), [[0; 0]; 0]);
        assert_eq!(cycles(&[vec![7]]), [[0; 0]; 0], "who is not there is not waited for");
    }

    #[test]
    fn a_long_chain_takes_no_time() {
        let chain: Vec<Vec<usize>> = (0..100_000).map(|who| vec![who + 1]).collect();
        assert_eq!(cycles(&chain), [[0; 0]; 0]);
    }
}
