# lib.makeOverridable. The function's result gets `.override`, which calls the function with other arguments, and
# `.overrideAttrs` and `.overrideDerivation`, which change attributes of its derivation. `functionArgs` of the function
# still works.
function:
let
  changed = change: old: old // (if builtins.isFunction change then change old else change);

  overridable = make: arguments:
    let
      result = make arguments;
      # `.overrideAttrs` and `.overrideDerivation` of the result; what they return can be overridden again.
      kept = name: if result ? ${name} then [{
        inherit name;
        value = change: overridable (given: (make given).${name} change) arguments;
      }] else [ ];
    in
    if !builtins.isAttrs result then result
    else result // { override = change: overridable make (changed change arguments); }
      // builtins.listToAttrs (kept "overrideAttrs" ++ kept "overrideDerivation");
in
{
  __functor = _: overridable function;
  __functionArgs = function.__functionArgs or (builtins.functionArgs function);
}
