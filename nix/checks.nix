# Wrong arguments fail at evaluation, with the function's and the argument's name and what it takes.
function: {
  oneOf = argument: known: value:
    builtins.elem value known || throw
      "${function}: ${argument} is ${builtins.toJSON value}; it takes one of ${builtins.concatStringsSep ", " (map builtins.toJSON known)}";

  absent = argument: isAbsent: remedy:
    isAbsent || throw "${function}: ${argument} is not supported yet; ${remedy}";

  notBoth = one: oneValue: other: otherValue:
    oneValue == null || otherValue == null || throw "${function}: ${one} and ${other} mean the same; give one of them";

  holds = argument: value: isRight: what:
    isRight value || throw "${function}: ${argument} is ${builtins.toJSON value}; it takes ${what}";
}
