use proptest::prelude::*;

use super::*;

/// `a ⊃ b ⊃ d`, `a ⊃ c ⊃ d`, `e` beside them.
fn diamond() -> ScopeHierarchy {
    [("b", "d"), ("a", "b"), ("c", "d"), ("a", "c")]
        .into_iter()
        .try_fold(ScopeHierarchy::flat(), |all, (wider, narrower)| {
            all.with(wider, narrower)
        })
        .unwrap()
}

fn set(text: &str) -> ScopeSet {
    text.parse().unwrap()
}

#[test]
fn what_is_contained_contains_too() {
    let hierarchy = diamond();
    assert!(hierarchy.contains("a", "d"), "over two steps");
    assert_eq!(hierarchy.below("a").collect::<Vec<_>>(), ["b", "c", "d"]);
    assert_eq!(hierarchy.below("e").count(), 0);
    // An edge below one that was there before reaches those above it.
    let late = hierarchy.with("d", "f").unwrap();
    assert!(late.contains("a", "f") && late.contains("c", "f"));
}

#[test]
fn no_two_scopes_contain_each_other() {
    for (wider, narrower) in [("d", "a"), ("b", "a"), ("d", "b"), ("a", "a"), ("e", "e")] {
        let refused = diamond().with(wider, narrower).unwrap_err();
        let (wider, narrower) = (wider.to_owned(), narrower.to_owned());
        assert_eq!(refused, ScopeCircle { wider, narrower });
    }
}

/// MCP authorization, "scope hierarchies": grant(broad) accepts narrow, never the converse.
#[test]
fn n_rs_07_the_wider_scope_is_enough_for_the_narrower_one_and_never_the_other_way() {
    let hierarchy = diamond();
    for (granted, wanted, enough) in [
        ("a", "a", true),
        ("a", "d", true),
        ("b", "d", true),
        ("d", "b", false),
        ("d", "a", false),
        ("b c", "a", false),
        ("b", "c", false),
        ("e", "a", false),
        ("e a", "d e", true),
        ("", "d", false),
        ("b", "", true),
    ] {
        let covers = hierarchy.covers(&set(granted), &set(wanted));
        assert_eq!(covers, enough, "{granted} for {wanted}");
    }
}

#[test]
fn n_as_29_redundant_scopes_are_said_once_and_spelled_out_on_demand() {
    let hierarchy = diamond();
    for (asked, meant, all) in [
        ("a b c d", "a", "a b c d"),
        ("d b e", "b e", "b d e"),
        ("b c", "b c", "b c d"),
        ("x d", "d x", "d x"),
        ("", "", ""),
    ] {
        let normalised = hierarchy.normalised(&set(asked));
        assert_eq!(normalised.to_string(), meant, "{asked}");
        assert_eq!(
            hierarchy.spelled_out(&normalised).to_string(),
            all,
            "{asked}"
        );
    }
    for (one, other, both) in [
        ("a", "d e", "d"),
        ("b", "c", ""),
        ("b", "a c", "b"),
        ("a e", "e b", "b e"),
    ] {
        assert_eq!(hierarchy.common(&set(one), &set(other)).to_string(), both);
        assert_eq!(hierarchy.common(&set(other), &set(one)).to_string(), both);
    }
}

fn any_hierarchy() -> impl Strategy<Value = ScopeHierarchy> {
    let edge = ("[a-h]", "[a-h]");
    proptest::collection::vec(edge, 0..16).prop_map(|edges| {
        edges
            .iter()
            .fold(ScopeHierarchy::flat(), |all, (wider, narrower)| {
                // Those that would close a circle are left out.
                all.clone().with(wider, narrower).unwrap_or(all)
            })
    })
}

fn any_set() -> impl Strategy<Value = ScopeSet> {
    proptest::collection::btree_set("[a-h]", 0..6).prop_map(ScopeSet)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn covers_is_a_partial_order_of_what_sets_mean(
        hierarchy in any_hierarchy(), one in any_set(), two in any_set(), three in any_set(),
    ) {
        let covers = |a: &ScopeSet, b: &ScopeSet| hierarchy.covers(a, b);
        prop_assert!(covers(&one, &one));
        if covers(&one, &two) && covers(&two, &three) {
            prop_assert!(covers(&one, &three));
        }
        if covers(&one, &two) && covers(&two, &one) {
            prop_assert_eq!(hierarchy.normalised(&one), hierarchy.normalised(&two));
        }
    }

    #[test]
    fn normalising_twice_is_normalising_once_and_changes_no_power(
        hierarchy in any_hierarchy(), set in any_set(),
    ) {
        let once = hierarchy.normalised(&set);
        prop_assert_eq!(&hierarchy.normalised(&once), &once);
        prop_assert!(hierarchy.covers(&once, &set) && hierarchy.covers(&set, &once));
        let all = hierarchy.spelled_out(&set);
        prop_assert!(hierarchy.covers(&set, &all) && all.covers(&set));
        prop_assert_eq!(hierarchy.normalised(&all), once);
    }

    #[test]
    fn what_two_sets_have_in_common_is_never_wider_and_never_less_than_it_could_be(
        hierarchy in any_hierarchy(), one in any_set(), two in any_set(), third in any_set(),
    ) {
        let common = hierarchy.common(&one, &two);
        prop_assert!(hierarchy.covers(&one, &common) && hierarchy.covers(&two, &common));
        prop_assert_eq!(&common, &hierarchy.common(&two, &one));
        // One scope that both allow is never lost unless it lies strictly between theirs.
        for scope in third.iter().filter(|scope| one.contains(scope) || two.contains(scope)) {
            let both = hierarchy.permits(one.iter(), scope) && hierarchy.permits(two.iter(), scope);
            prop_assert_eq!(both, hierarchy.permits(common.iter(), scope));
        }
    }
}
