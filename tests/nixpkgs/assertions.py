"""The assertions of nixpkgs' tests of dockerTools, in words of our own, and the test that makes each here.

They are numbered in the order of nixos/tests/docker-tools.nix; 57 to 65, 68 and 69 are in docker-tools-nix-shell.nix by
now, and 70 is docker-tools-overlay.nix.
"""

from __future__ import annotations

from attrs import frozen


@frozen
class Assertion:
    """`test` is FILE::TEST in this directory; `remark` says what is different there."""

    number: int
    sentence: str
    test: str
    remark: str = ""


IMAGES, SHELL, ROOT, MERGED, DATABASE = "test_images", "test_nix_shell", "test_root", "test_merged", "test_database"

ASSERTIONS = (
    Assertion(
        1,
        "An image with a tree of links at its root streams, loads and runs",
        f"{IMAGES}::test_a_tree_of_links_at_the_root",
    ),
    Assertion(2, "Without store paths it loads and does not run", f"{IMAGES}::test_without_store_paths"),
    Assertion(3, "nor does it when a script had the image as its root", f"{IMAGES}::test_without_store_paths"),
    Assertion(
        4,
        "Its layers have nothing below /nix/store",
        f"{IMAGES}::test_without_store_paths",
        "the layers are read, where nixpkgs exports by crane",
    ),
    Assertion(5, "nor have they when a script had the image as its root", f"{IMAGES}::test_without_store_paths"),
    Assertion(6, "It runs where the host's store is mounted read-only", f"{IMAGES}::test_without_store_paths"),
    Assertion(7, "and so it does when a script had the image as its root", f"{IMAGES}::test_without_store_paths"),
    Assertion(8, "An image is created one second after the epoch", f"{IMAGES}::test_created_at_the_epoch_unless_asked"),
    Assertion(9, "bash in an image of bash runs", f"{IMAGES}::test_bash"),
    Assertion(10, "Docker lists it under the tag that the attribute tells", f"{IMAGES}::test_bash"),
    Assertion(
        11,
        "The tag that is told is the tag that is loaded: buildImage without a tag",
        f"{IMAGES}::test_the_tag_that_is_told_is_the_tag_that_is_loaded",
    ),
    Assertion(12, "so it is for buildLayeredImage", f"{IMAGES}::test_the_tag_that_is_told_is_the_tag_that_is_loaded"),
    Assertion(13, "so it is for streamLayeredImage", f"{IMAGES}::test_the_tag_that_is_told_is_the_tag_that_is_loaded"),
    Assertion(14, "so it is for an image with a database of Nix", f"{DATABASE}::test_a_tag_that_is_a_hash"),
    Assertion(
        15,
        "Nix in the image knows what the image holds: nix-store -qR answers",
        f"{DATABASE}::test_nix_knows_what_the_image_holds",
    ),
    Assertion(16, "/nix and /nix/store are 0755 to a user who is not root", f"{IMAGES}::test_a_user_who_is_not_root"),
    Assertion(17, "Nix' programs stay links to one another", f"{DATABASE}::test_links_between_programs_stay_links"),
    Assertion(18, "and so they do in layers", f"{DATABASE}::test_links_between_programs_stay_links"),
    Assertion(
        19,
        "A pulled image loads, and its program runs",
        f"{IMAGES}::test_pulled",
        "pulled from a registry on this machine; busybox in the place of Nix 2.2.1",
    ),
    Assertion(20, "nginx serves its page on port 8000", f"{IMAGES}::test_a_web_server"),
    Assertion(21, "A program on top of a pulled image runs", f"{IMAGES}::test_on_a_pulled_image"),
    Assertion(
        22,
        "runAsRoot and extraCommands each make their file, with quotes in them",
        f"{ROOT}::test_both_kinds_of_scripts",
    ),
    Assertion(23, 'created = "now" is not the epoch', f"{IMAGES}::test_created_at_the_epoch_unless_asked"),
    Assertion(24, "nor is it in layers", f"{IMAGES}::test_created_at_the_epoch_unless_asked"),
    Assertion(25, "A layered image runs, and has the file that extraCommands made", f"{IMAGES}::test_layered"),
    Assertion(26, "An image on a layered image runs", f"{IMAGES}::test_on_a_layered_image"),
    Assertion(27, "A layered image on a layered image runs", f"{IMAGES}::test_on_a_layered_image"),
    Assertion(
        28, "Two layered images of much the same have layers in common", f"{IMAGES}::test_layered_images_share_layers"
    ),
    Assertion(
        29,
        "Files of three images on each other are there, each as its image has it",
        f"{IMAGES}::test_layers_lie_in_the_order_of_their_images",
    ),
    Assertion(
        30, "runAsRoot finds the layers below it in their order", f"{ROOT}::test_root_sees_the_layers_in_their_order"
    ),
    Assertion(
        31,
        "runAsRoot on a base that has a layer twice loads and runs",
        f"{ROOT}::test_root_on_a_base_with_a_layer_twice",
    ),
    Assertion(
        32,
        "buildImage inherits the base's environment and sets variables again",
        f"{IMAGES}::test_the_environment_is_inherited",
    ),
    Assertion(33, "and so does buildLayeredImage", f"{IMAGES}::test_the_environment_is_inherited"),
    Assertion(
        34,
        "A variable that is set again stands in the config once",
        f"{IMAGES}::test_a_variable_that_is_set_again_is_there_once",
    ),
    Assertion(35, "An image of at most two layers loads", f"{IMAGES}::test_two_layers"),
    Assertion(36, "More store paths than layers: none is left out", f"{IMAGES}::test_more_store_paths_than_layers"),
    Assertion(
        37,
        "On a base none is left out either, and the image has exactly the four layers asked for",
        f"{IMAGES}::test_the_layers_of_the_base_count",
    ),
    Assertion(
        38,
        "An image that refers to nothing has no store path but what was copied into it",
        f"{IMAGES}::test_a_static_program_alone",
        "the program is copied to /bin: nothing lies below /nix/store",
    ),
    Assertion(
        39,
        "A store path that is a file is there as the database says, and can be read",
        f"{DATABASE}::test_a_store_path_that_is_a_file",
    ),
    Assertion(
        40,
        "An image for another processor says so",
        f"{IMAGES}::test_another_architecture",
        "with a file and no program: there are no packages for another processor here",
    ),
    Assertion(41, "A store path that is a link is one in the image", f"{IMAGES}::test_a_store_path_that_is_a_link"),
    Assertion(42, "A registry in the name stays there: buildImage", f"{IMAGES}::test_a_registry_in_the_name"),
    Assertion(43, "and buildLayeredImage", f"{IMAGES}::test_a_registry_in_the_name"),
    Assertion(44, "chown in fakeRootCommands counts", f"{IMAGES}::test_owners_out_of_a_script"),
    Assertion(
        45,
        "Two images out of one archive: both names are loaded, and both run",
        f"{MERGED}::test_all_of_them_are_loaded_and_run",
    ),
    Assertion(
        46, "and so it is when one of them has no tag of its own", f"{MERGED}::test_all_of_them_are_loaded_and_run"
    ),
    Assertion(47, "Owners stay as they are in a merged archive", f"{MERGED}::test_owners_stay"),
    Assertion(
        48,
        "A store path that only fakeRootCommands names is in the image, and runs",
        f"{IMAGES}::test_store_paths_that_only_a_script_names",
    ),
    Assertion(49, "The exported root of an image has ./bin/bash", f"{ROOT}::test_an_exported_root"),
    Assertion(
        50,
        "What a script made that had the image as its root runs",
        f"{ROOT}::test_a_script_with_the_image_as_its_root",
    ),
    Assertion(
        51,
        "A bare path in the root: its file is there, in buildImage and buildLayeredImage",
        f"{IMAGES}::test_a_bare_path_in_the_root",
    ),
    Assertion(
        52, 'architecture = "arm64" is what the image says, of either function', f"{IMAGES}::test_another_architecture"
    ),
    Assertion(
        53,
        "/etc that a system's activation makes has localhost in it",
        f"{ROOT}::test_etc_out_of_the_store",
        "made by a script of the example, for there is no NixOS here",
    ),
    Assertion(
        54, "Certificates are where older Red Hat has them", f"{IMAGES}::test_certificates_where_programs_look_for_them"
    ),
    Assertion(55, "where Debian has them", f"{IMAGES}::test_certificates_where_programs_look_for_them"),
    Assertion(56, "and where Red Hat has them", f"{IMAGES}::test_certificates_where_programs_look_for_them"),
    Assertion(57, "buildDerivation in a nix-shell image builds hello", f"{SHELL}::test_the_derivation_is_built"),
    Assertion(58, "The shell's hook runs", f"{SHELL}::test_the_hook_runs"),
    Assertion(59, "Inputs are on PATH", f"{SHELL}::test_inputs_are_on_the_path"),
    Assertion(60, "passAsFile makes a file", f"{SHELL}::test_what_is_passed_as_a_file"),
    Assertion(61, "`run` has a shell that is not interactive", f"{SHELL}::test_run_is_for_programs"),
    Assertion(62, "`command` has one that is", f"{SHELL}::test_command_is_for_people"),
    Assertion(63, "The home directory may be written to", f"{SHELL}::test_home_may_be_written_to"),
    Assertion(64, "The home directory may be one that is not there", f"{SHELL}::test_home_need_not_be_there"),
    Assertion(65, "`run` may build the derivation", f"{SHELL}::test_the_derivation_is_built_by_a_command"),
    Assertion(
        66, "chown by a script that has the image as its root counts", f"{ROOT}::test_owners_that_a_script_gives"
    ),
    Assertion(
        67, "chown by a script that seems to be root counts, once more", f"{IMAGES}::test_owners_out_of_a_script"
    ),
    Assertion(
        68,
        "Nix in an image of buildImageWithNixDb knows the references of a program",
        f"{DATABASE}::test_references_of_a_program",
    ),
    Assertion(69, "and so it does in a streamed one", f"{DATABASE}::test_references_of_a_program"),
    Assertion(
        70,
        "Images load and run where Docker keeps them by overlay",
        f"{IMAGES}::test_docker_keeps_images_by_overlay",
        "so does every other test here",
    ),
)
