"""The assertions of nixpkgs' tests of dockerTools, in our own words, and the test that makes each of them here.

The numbers follow the order of nixos/tests/docker-tools.nix. Later, nixpkgs moved 57 to 65, 68 and 69 to
docker-tools-nix-shell.nix; 70 is docker-tools-overlay.nix.
"""

from __future__ import annotations

from attrs import frozen


@frozen
class Assertion:
    """`test` is FILE::TEST in this directory; `remark` says how it differs from nixpkgs' test."""

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
    Assertion(2, "An image without store paths loads, and does not run", f"{IMAGES}::test_without_store_paths"),
    Assertion(3, "The same after a script with the image as its root directory", f"{IMAGES}::test_without_store_paths"),
    Assertion(
        4,
        "The layers of such an image contain nothing below /nix/store",
        f"{IMAGES}::test_without_store_paths",
        "here the layers are read; nixpkgs exports with crane",
    ),
    Assertion(5, "The same after a script with the image as its root directory", f"{IMAGES}::test_without_store_paths"),
    Assertion(6, "Such an image runs if the host's store is mounted read-only", f"{IMAGES}::test_without_store_paths"),
    Assertion(7, "The same after a script with the image as its root directory", f"{IMAGES}::test_without_store_paths"),
    Assertion(8, "An image is created one second after the epoch", f"{IMAGES}::test_created_at_the_epoch_unless_asked"),
    Assertion(9, "bash runs in an image of bash", f"{IMAGES}::test_bash"),
    Assertion(10, "Docker lists the image under the tag in the attribute imageTag", f"{IMAGES}::test_bash"),
    Assertion(
        11,
        "The attribute imageTag is the tag that is loaded: buildImage without a tag",
        f"{IMAGES}::test_image_tag_is_the_tag_that_is_loaded",
    ),
    Assertion(12, "The same for buildLayeredImage", f"{IMAGES}::test_image_tag_is_the_tag_that_is_loaded"),
    Assertion(13, "The same for streamLayeredImage", f"{IMAGES}::test_image_tag_is_the_tag_that_is_loaded"),
    Assertion(14, "The same for an image with a Nix database", f"{DATABASE}::test_a_tag_that_is_a_hash"),
    Assertion(
        15,
        "Nix in the image lists what the image contains: nix-store -qR works",
        f"{DATABASE}::test_nix_knows_what_the_image_holds",
    ),
    Assertion(
        16, "A user who is not root sees mode 0755 for /nix and /nix/store", f"{IMAGES}::test_a_user_who_is_not_root"
    ),
    Assertion(17, "Nix' programs stay links to one another", f"{DATABASE}::test_links_between_programs_stay_links"),
    Assertion(18, "The same in layers", f"{DATABASE}::test_links_between_programs_stay_links"),
    Assertion(
        19,
        "A pulled image loads, and its program runs",
        f"{IMAGES}::test_pulled",
        "pulled from a registry on this machine; busybox instead of Nix 2.2.1",
    ),
    Assertion(20, "nginx serves its page on port 8000", f"{IMAGES}::test_a_web_server"),
    Assertion(21, "A program on top of a pulled image runs", f"{IMAGES}::test_on_a_pulled_image"),
    Assertion(
        22,
        "runAsRoot and extraCommands each create their file, with quotes in its text",
        f"{ROOT}::test_both_kinds_of_scripts",
    ),
    Assertion(23, 'created = "now" is not the epoch', f"{IMAGES}::test_created_at_the_epoch_unless_asked"),
    Assertion(24, "The same for a layered image", f"{IMAGES}::test_created_at_the_epoch_unless_asked"),
    Assertion(25, "A layered image runs, and contains the file that extraCommands created", f"{IMAGES}::test_layered"),
    Assertion(26, "An image on a layered image runs", f"{IMAGES}::test_on_a_layered_image"),
    Assertion(27, "A layered image on a layered image runs", f"{IMAGES}::test_on_a_layered_image"),
    Assertion(28, "Two similar layered images have layers in common", f"{IMAGES}::test_layered_images_share_layers"),
    Assertion(
        29,
        "Files of three images on top of each other exist, each as its image has it",
        f"{IMAGES}::test_layers_lie_in_the_order_of_their_images",
    ),
    Assertion(
        30, "runAsRoot sees the layers below it in the right order", f"{ROOT}::test_root_sees_the_layers_in_their_order"
    ),
    Assertion(
        31,
        "runAsRoot on a base with a repeated layer: the result loads and runs",
        f"{ROOT}::test_root_on_a_base_with_a_layer_twice",
    ),
    Assertion(
        32,
        "buildImage inherits the base's environment and sets variables again",
        f"{IMAGES}::test_the_environment_is_inherited",
    ),
    Assertion(33, "The same for buildLayeredImage", f"{IMAGES}::test_the_environment_is_inherited"),
    Assertion(
        34,
        "A variable that is set again occurs once in the config",
        f"{IMAGES}::test_a_variable_that_is_set_again_is_there_once",
    ),
    Assertion(35, "An image with at most two layers loads", f"{IMAGES}::test_two_layers"),
    Assertion(
        36, "With more store paths than layers, no path is left out", f"{IMAGES}::test_more_store_paths_than_layers"
    ),
    Assertion(
        37,
        "The same on a base, and the image has exactly the four layers requested",
        f"{IMAGES}::test_the_layers_of_the_base_count",
    ),
    Assertion(
        38,
        "An image that refers to nothing contains no store path except those copied into it",
        f"{IMAGES}::test_a_static_program_alone",
        "the program is copied to /bin, so /nix/store is empty",
    ),
    Assertion(
        39,
        "A store path that is a file exists as the database says, and can be read",
        f"{DATABASE}::test_a_store_path_that_is_a_file",
    ),
    Assertion(
        40,
        "An image for another processor says so in its config",
        f"{IMAGES}::test_another_architecture",
        "with a file instead of a program: there are no packages for another processor here",
    ),
    Assertion(41, "A store path that is a symlink is one in the image", f"{IMAGES}::test_a_store_path_that_is_a_link"),
    Assertion(42, "A registry in the name is kept: buildImage", f"{IMAGES}::test_a_registry_in_the_name"),
    Assertion(43, "The same for buildLayeredImage", f"{IMAGES}::test_a_registry_in_the_name"),
    Assertion(44, "chown in fakeRootCommands takes effect", f"{IMAGES}::test_owners_out_of_a_script"),
    Assertion(
        45,
        "Two images from one archive: both names are loaded, and both run",
        f"{MERGED}::test_all_of_them_are_loaded_and_run",
    ),
    Assertion(46, "The same if one of them has no tag of its own", f"{MERGED}::test_all_of_them_are_loaded_and_run"),
    Assertion(47, "Owners are kept in a merged archive", f"{MERGED}::test_owners_stay"),
    Assertion(
        48,
        "A store path that only fakeRootCommands refers to is in the image, and runs",
        f"{IMAGES}::test_store_paths_that_only_a_script_names",
    ),
    Assertion(49, "The exported root of an image contains ./bin/bash", f"{ROOT}::test_an_exported_root"),
    Assertion(
        50,
        "A program that a script installed, with the image as its root directory, runs",
        f"{ROOT}::test_a_script_with_the_image_as_its_root",
    ),
    Assertion(
        51,
        "A bare path in the root: its file exists, in buildImage and buildLayeredImage",
        f"{IMAGES}::test_a_bare_path_in_the_root",
    ),
    Assertion(
        52,
        'architecture = "arm64" is in the config of the image, for both functions',
        f"{IMAGES}::test_another_architecture",
    ),
    Assertion(
        53,
        "/etc from a system's activation contains localhost",
        f"{ROOT}::test_etc_out_of_the_store",
        "a script of the example makes it, since there is no NixOS here",
    ),
    Assertion(
        54,
        "Certificates exist where older Red Hat has them",
        f"{IMAGES}::test_certificates_where_programs_look_for_them",
    ),
    Assertion(55, "The same for Debian", f"{IMAGES}::test_certificates_where_programs_look_for_them"),
    Assertion(56, "The same for Red Hat", f"{IMAGES}::test_certificates_where_programs_look_for_them"),
    Assertion(57, "buildDerivation in a nix-shell image builds hello", f"{SHELL}::test_the_derivation_is_built"),
    Assertion(58, "The shell's hook runs", f"{SHELL}::test_the_hook_runs"),
    Assertion(59, "Inputs are on PATH", f"{SHELL}::test_inputs_are_on_the_path"),
    Assertion(60, "passAsFile creates a file", f"{SHELL}::test_what_is_passed_as_a_file"),
    Assertion(61, "`run` gets a shell that is not interactive", f"{SHELL}::test_run_is_for_programs"),
    Assertion(62, "`command` gets an interactive shell", f"{SHELL}::test_command_is_for_people"),
    Assertion(63, "The home directory is writable", f"{SHELL}::test_home_may_be_written_to"),
    Assertion(64, "The home directory may be missing", f"{SHELL}::test_home_need_not_be_there"),
    Assertion(65, "`run` can build the derivation", f"{SHELL}::test_the_derivation_is_built_by_a_command"),
    Assertion(
        66,
        "chown by a script with the image as its root directory takes effect",
        f"{ROOT}::test_owners_that_a_script_gives",
    ),
    Assertion(
        67,
        "chown by a script that appears to be root takes effect, once more",
        f"{IMAGES}::test_owners_out_of_a_script",
    ),
    Assertion(
        68,
        "Nix in an image of buildImageWithNixDb lists the references of a program",
        f"{DATABASE}::test_references_of_a_program",
    ),
    Assertion(69, "The same in a streamed image", f"{DATABASE}::test_references_of_a_program"),
    Assertion(
        70,
        "Images load and run where Docker uses overlay",
        f"{IMAGES}::test_docker_keeps_images_by_overlay",
        "every other test here uses it too",
    ),
)
