//! Words that are nearly the same: shown, and never acted on.

/// The candidate that differs least, if it differs little.
pub(crate) fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = candidates.map(|candidate| (distance(word, candidate), candidate));
    near.filter(|(distance, _)| *distance <= 2 && *distance < word.len()).min().map(|(_, candidate)| candidate)
}

/// How many letters have to be put in, left out, changed or swapped with their neighbour.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let mut table = vec![vec![0; other.len() + 1]; one.len() + 1];
    for i in 0..=one.len() {
        for j in 0..=other.len() {
            table[i][j] = cell(&table, &one, &other, i, j);
        }
    }
    table[one.len()][other.len()]
}

fn cell(table: &[Vec<usize>], one: &[char], other: &[char], i: usize, j: usize) -> usize {
    if i == 0 || j == 0 {
        return i + j;
    }
    let changed = table[i - 1][j - 1] + usize::from(one[i - 1] != other[j - 1]);
    let swapped = i > 1 && j > 1 && one[i - 1] == other[j - 2] && one[i - 2] == other[j - 1];
    let swapped = if swapped { table[i - 2][j - 2] + 1 } else { usize::MAX };
    changed.min(table[i - 1][j] + 1).min(table[i][j - 1] + 1).min(swapped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_are_near() {
        let words = || ["send", "ask", "status", "list"].into_iter();
        for (typo, word) in [("sned", Some("send")), ("statsu", Some("status")), ("lst", Some("list"))] {
            assert_eq!(nearest(typo, words()), word);
        }
        assert_eq!(nearest("frobnicate", words()), None);
        assert_eq!(nearest("x", words()), None);
    }
}
